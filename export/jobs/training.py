"""``ecavg export --trainable``: a file that a device trains, of a run or a ``.keras`` file."""

import os
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from ecavg_tf.core.bundles.training_bundle import (
    BATCH,
    TRAINABLE,
    TrainingBundle,
    TrainingInfo,
    read_training_bundle,
    write_training_bundle,
)
from ecavg_tf.core.errors import ConfigError, ExportError, disk_errors
from ecavg_tf.core.files import read_json, write_bytes
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.table import LABEL
from ecavg_tf.core.template import Template, weights_sha256
from ecavg_tf.data.federated import federated_data
from ecavg_tf.data.server_data import kept_spec, noise
from ecavg_tf.events import Listener, Note, silent
from ecavg_tf.resuming import stored_config
from ecavg_tf.task import Task
from export.delivering.signing import SUFFIX
from export.jobs.keras_file import load_keras, matching_data
from export.jobs.run import FOLDER
from export.jobs.subjects import global_of, load_found
from export.making.training import TrainingExporter, optimizer_spec


def export_training(
    source: str | Path,
    *,
    trainable: str,
    optimizer: str = "",
    momentum: float = 0.0,
    batch_size: int = 0,
    data: str = "",
    label_column: str = LABEL,
    out: str = "",
    listener: Listener = silent,
    fresh: bool = False,
) -> Path:
    """Makes ``training-TRAINABLE.bundle.zip`` and the same file as a plain ``.tflite``.

    Args:
        source: a run directory (its last global model, or its start) or a ``.keras`` file.
        trainable: ``head`` or ``dense``.
        optimizer: ``sgd`` or ``adam``; empty: ``edge.optimizer`` of the run, or adam.
        momentum: of ``sgd``.
        batch_size: the most examples in a step; 0: ``edge.batch_size`` of the run, or 32.
        data: for a ``.keras`` file: its labelled examples, as ``data.name`` of a config.
        label_column: of a table as data: the name of the column with the labels.
        out: where to; empty: ``exports`` in the run directory, or beside the file.
        listener: told of a bundle that is replaced.
        fresh: writes the bundle even if the same one is there, because signing must not trust it.

    Returns:
        The bundle's path.

    Raises:
        ECAvgError: with one line that says how to mend it.
    """
    source = user_path(source)
    path = _folder(source, out) / f"training-{trainable}.bundle.zip"
    known = _known(path)  # fails before minutes of work
    if source.suffix == ".keras":
        if not data:
            raise ConfigError(
                "--trainable compares the file with Keras on labelled examples: give --data=NAME"
            )
        model = load_keras(source)
        dataset = matching_data(model, source, data, label_column)
        spec, test, run, round_number = dataset.spec, dataset.test, None, None
    else:
        config = stored_config(source)
        optimizer = optimizer or config.edge.optimizer
        batch_size = batch_size or config.edge.batch_size
        shared = federated_data(config, kept_spec(source))
        spec, test = shared.spec, shared.test if len(shared.test) else noise(shared.spec)
        model, round_number = _run_model(source, Task(config, spec, source, silent))
        run = read_json(source / "environment.json").get("run_id")
    origin = {
        "run": run,
        "round": round_number,
        "edge": None,
        "weights_sha256": weights_sha256(model.get_weights()),
    }
    optimization = optimizer_spec(optimizer or "adam", momentum)
    exporter = TrainingExporter(model, spec, trainable, optimization, batch_size or BATCH)
    bundle = exporter.bundle(test, origin)
    _write(path, bundle, known, listener, fresh)
    return path


def training_made_again(run: str | Path, listener: Listener = silent) -> tuple[Path, ...]:
    """Makes the training bundles in a run's export folder again, to sign them.

    Anybody may have put the old ones there, so only their optimizer and their batch are taken from
    them.

    Args:
        run: the run directory.
        listener: told of a bundle that was not what is made now.

    Returns:
        Their paths.

    Raises:
        ECAvgError: one is damaged, or can't be made of this run's model.
    """
    run, made = user_path(run), []
    for trainable in TRAINABLE:
        path = run / FOLDER / f"training-{trainable}.bundle.zip"
        if path.exists():
            info = read_training_bundle(path).info
            spec = info.optimizer
            made.append(
                export_training(
                    run,
                    trainable=trainable,
                    optimizer=spec.name,
                    momentum=spec.momentum,
                    batch_size=info.batch or 0,
                    listener=listener,
                    fresh=True,
                )
            )
    return tuple(made)


def _run_model(run: Path, task: Task) -> tuple[keras.Model, int | None]:
    """The last global model and its round, or what the run starts from."""
    model = task.server_trainer.model
    found = global_of(run)
    if found is None:
        model.set_weights(task.initial)
        return model, None
    load_found(model, found)
    return model, found.round


def _folder(source: Path, out: str) -> Path:
    if out:
        return user_path(out)
    if source.suffix == ".keras":
        return source.with_name(source.stem + "-export")
    return source / FOLDER


def _known(path: Path) -> TrainingBundle | None:
    """The training bundle that is there already; None: there is no file.

    Raises:
        ExportError: a file that no export of a training file made would be written over.
    """
    plain, signature = _plain(path), path.with_name(path.name + SUFFIX)
    if not os.path.lexists(path):
        for other in (plain, signature):
            if os.path.lexists(other):
                raise _foreign(other, f"{path.name} is not beside it")
        return None
    try:
        known = read_training_bundle(path)
    except ExportError as error:
        raise _foreign(path, f"it is no sound training bundle ({error})") from error
    if os.path.lexists(plain) and not _holds(plain, known.model):
        raise _foreign(plain, f"it is not the model in {path.name}")
    return known


def _plain(path: Path) -> Path:
    return path.with_name(path.name.replace(".bundle.zip", ".tflite"))


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def _foreign(path: Path, why: str) -> ExportError:
    return ExportError(
        f"{path} would be written over, and {why}: move it away, or give another folder with --out"
    )


def _write(
    path: Path,
    bundle: TrainingBundle,
    known: TrainingBundle | None,
    listener: Listener,
    fresh: bool,
) -> None:
    signature = path.with_name(path.name + SUFFIX)
    same = known is not None and _are_same(known, bundle)
    with disk_errors(path.parent):
        if known is not None and not same:
            gone = "; its signature is gone" if signature.exists() else ""
            listener(Note(_replaced(path, known.info, bundle.info) + gone))
        if fresh or not same:
            signature.unlink(missing_ok=True)  # of an earlier file
            _plain(path).unlink(missing_ok=True)  # or an interruption would leave it beside another
            write_training_bundle(path, bundle)
        write_bytes(_plain(path), bundle.model)


def _replaced(path: Path, old: TrainingInfo, new: TrainingInfo) -> str:
    what = "with other contents" if old.optimizer == new.optimizer else f"for {new.optimizer.words}"
    return f"{path} ({old.optimizer.words}) is made again {what}"


def _are_same(one: TrainingBundle, other: TrainingBundle) -> bool:
    """Whether two bundles differ in nothing but the labels of weights.

    Keras counts names up over a process, and positions are what maps weights.
    """
    return (
        _unlabelled(one.info) == _unlabelled(other.info)
        and one.model == other.model
        and np.array_equal(one.golden_inputs, other.golden_inputs)
        and np.array_equal(one.golden_labels, other.golden_labels)
        and np.array_equal(one.golden_outputs, other.golden_outputs)
    )


def _unlabelled(info: TrainingInfo) -> TrainingInfo:
    weights = enumerate(info.template.weights)
    plain = Template(tuple(replace(spec, key=str(at)) for at, spec in weights))
    return replace(info, template=plain)
