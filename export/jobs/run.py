"""Exporting what a run ended with: each edge's accepted model, and the global model."""

from collections.abc import Sequence
from pathlib import Path

from ecavg_tf.config import Config, ExportConfig
from ecavg_tf.config.checks import validated
from ecavg_tf.config.fields import to_dict
from ecavg_tf.core.errors import ConfigError, ExportError, UnprovedError, disk_errors
from ecavg_tf.core.exports import Exported
from ecavg_tf.core.paths import user_path
from ecavg_tf.data.federated import FederatedData, federated_data
from ecavg_tf.data.server_data import kept_spec
from ecavg_tf.events import Listener, Note, StageStarted, silent
from ecavg_tf.models.builders import gives_logits
from ecavg_tf.results import RunResults, load_results
from ecavg_tf.resuming import stored_config
from ecavg_tf.rundir import RunDirectory
from ecavg_tf.task import Task
from export.delivering.earlier_files import intact
from export.exporter import Exporter
from export.jobs.local_models import locals_of
from export.jobs.subjects import (
    GLOBAL,
    Found,
    accepted_of,
    chosen,
    global_of,
    load_found,
    models_of,
    subject_of,
)
from export.making.converting_process import warm_up
from export.making.formats import as_asked, parse_formats, variants
from export.making.precision import computed_in_float32
from export.web.contents import LOCALS

FOLDER = "exports"


def export_run(
    run: str | Path,
    *,
    settings: ExportConfig | None = None,
    formats: str = "",
    edges: Sequence[str] = (),
    out: str | Path = "",
    accept_unproved: bool = False,
    listener: Listener = silent,
    fresh: bool = False,
    local: bool = False,
) -> tuple[Exported, ...]:
    """Exports the models of a run directory.

    Args:
        run: the directory of a run with a finished round.
        settings: formats and limits; None: those of the run's config.
        formats: separated by commas; empty: those of the settings.
        edges: names of edges, or ``global``; empty: all there are.
        out: where to; empty: ``exports`` in the run directory, and results.json
            tells of it.
        accept_unproved: delivers files that too few examples prove, too, whatever the
            settings say.
        listener: told of stages.
        fresh: makes files again that are there already, because signing must not trust them.
        local: also exports the edges' last local models, into ``exports-local`` in the run
            directory.

    Returns:
        One entry a file, refused and skipped ones included; none of a local model.

    Raises:
        ECAvgError: with one line that says how to mend it.
    """
    path = user_path(run)
    config = stored_config(path)
    config.export = as_asked(settings or config.export, formats, accept_unproved=accept_unproved)
    validated(config)
    warm_up()
    data = federated_data(config, kept_spec(path))
    if not len(data.test):
        raise ConfigError(
            f"the server of {path} has no test set to compare a file with Keras on; begin a run "
            "whose data.name is a test set alone (x_test, y_test)"
        )
    task = Task(config, data.spec, path, listener)
    known = load_results(path)
    found = list(models_of(path, data.edges))
    models = chosen(found, edges, path)
    if not edges:
        _tell_missing(path, data.edges, found, listener)
    folder = user_path(out) if out else path / FOLDER
    with disk_errors(folder):
        exports = _export_all(task, data, path, models, folder, fresh=fresh)
        if not out:
            _tell_results(path, stored_config(path), known, exports)
        if local:
            _export_locals(task, data, path, models, path / LOCALS, fresh=fresh)
    return exports


def _export_locals(
    task: Task,
    data: FederatedData,
    path: Path,
    models: Sequence[Found],
    folder: Path,
    *,
    fresh: bool,
) -> None:
    """The local models of the edges among some models, where the run kept them."""
    accepted = [found for found in models if found.name != GLOBAL]
    frozen = global_of(path)
    if not accepted or frozen is None:
        return
    model = task.server_trainer.model
    load_found(model, frozen)
    found = list(locals_of(path, accepted, model.get_weights()))
    for each in sorted({one.name for one in accepted} - {one.name for one in found}):
        task.listener(Note(f"{each}: its local model is the accepted one, or was not kept"))
    _export_all(task, data, path, found, folder, fresh=fresh)


def export_at_end(
    directory: RunDirectory, task: Task, data: FederatedData, results: RunResults
) -> RunResults:
    """Exports all models of a run that just finished and writes its results again."""
    path = directory.path
    warm_up()
    models = list(models_of(path, data.edges))
    _tell_missing(path, data.edges, models, task.listener)
    exports = _export_all(task, data, path, models, path / FOLDER)
    renewed = directory.write_results(results.status, results.classes, exports)
    from ecavg_tf.report.page import write_page  # needs jinja, and comes last

    write_page(renewed, path)
    return renewed


def check_exportable(task: Task) -> None:
    """Finds before any training that no file can be made of what a run will end with.

    Raises:
        ExportError: a layer computes in float64, or has weights in half precision.
    """
    if task.config.export.enabled:
        with computed_in_float32(task.server_trainer.model):
            pass


def export_edges(
    workdir: Path,
    task: Task,
    data: FederatedData,
    edges: Sequence[str],
    *,
    folder: Path | None = None,
    fresh: bool = False,
) -> tuple[Exported, ...]:
    """Exports the accepted models of edges that live in this process, with their own examples.

    Args:
        workdir: the folder with each edge's own folder.
        task: what the participants of the run share.
        data: asked for the data of these edges.
        edges: their names.
        folder: where to; None: ``exports`` in the workdir.
        fresh: makes files again that are there already, because signing must not trust them.
    """
    models = [found for edge in edges if (found := accepted_of(workdir / edge, edge)) is not None]
    folder = folder or workdir / FOLDER
    return _export_all(task, data, workdir, models, folder, at_home=True, fresh=fresh)


def wants_export(config: Config, done: RunResults) -> bool:
    """Whether a finished run still lacks the files that its config asks for."""
    if not config.export.enabled:
        return False
    return not done.exports or dict(done.config.get("export", {})) != to_dict(config.export)


def raise_if_failed(exports: Sequence[Exported], again: str = "the same command") -> None:
    """Ends a command whose files are not all delivered.

    Args:
        exports: all files.
        again: the command that makes them again, in words.

    Raises:
        ExportError: names the first file that failed, why, and how many others did.
        UnprovedError: none failed; names the first that too few examples prove and that was
            not accepted.
    """
    failed = [row for row in exports if row.failed]
    open_ = [row for row in exports if row.undecided and not row.delivered]
    told = failed or open_
    if not told:
        return
    others = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
    first = told[0]
    kept = "not made" if first.file is None else f"kept aside as {first.file}"
    said = f"{first.model}, {first.variant}: {'; '.join(first.reasons)}; {kept}{others}"
    if failed:
        raise ExportError(said)
    raise UnprovedError(
        f"{said}: compare on more examples, or take the files as they are with "
        f"export.accept_unproved=true ({again} with --accept-unproved)"
    )


def _export_all(
    task: Task,
    data: FederatedData,
    path: Path,
    models: Sequence[Found],
    folder: Path,
    *,
    at_home: bool = False,
    fresh: bool = False,
) -> tuple[Exported, ...]:
    settings = task.config.export
    exporter = Exporter(
        task.server_trainer.model,
        task.spec,
        gives_logits(task.config.model),
        limits=settings,
        latency_s=settings.latency_s,
        fresh=fresh,
        listener=task.listener,
    )
    wanted = variants(parse_formats(settings.formats))
    rows: list[Exported] = []
    for found in models:
        task.listener(StageStarted(found.round, "export", found.name))
        load_found(exporter.model, found)
        subject = subject_of(task, data, path, found, at_home)
        rows += exporter.export(subject, wanted, folder / found.name)
    for row in rows:
        if row.status != "passed":
            said = f"{row.model}, {row.variant} {row.status}: {'; '.join(row.reasons)}"
            task.listener(Note(said))
    return tuple(rows)


def _tell_missing(
    path: Path, edges: Sequence[str], models: Sequence[Found], listener: Listener
) -> None:
    """Tells of edges that no model is exported of."""
    if not (path / "edges").exists():
        listener(Note("edges keep their models on their own machines: those are not exported"))
        return
    found = {model.name for model in models}
    for edge in sorted(set(edges) - found):
        listener(Note(f"{edge} has accepted no model: none is exported"))


def _tell_results(
    path: Path, config: Config, known: RunResults, exports: tuple[Exported, ...]
) -> None:
    """Puts new rows into results.json; old ones stay where their files still lie there."""
    new = {(row.model, row.variant) for row in exports}
    weights = {row.model: row.weights_sha256 for row in exports}
    kept = tuple(
        row
        for row in known.exports
        if (row.model, row.variant) not in new
        and row.weights_sha256 == weights.get(row.model, row.weights_sha256)
        and intact(path / FOLDER, row)
    )
    directory = RunDirectory(path, config)
    try:
        directory.open()
        results = directory.write_results(known.status, known.classes, (*kept, *exports))
        from ecavg_tf.report.page import write_page

        write_page(results, path)
    finally:
        directory.close()
