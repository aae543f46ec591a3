"""Exports what edges with data of their own accepted, proved on that data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ecavg_tf.config.checks import one_of
from ecavg_tf.core.errors import DataError, WorkdirError, disk_errors
from ecavg_tf.core.exports import Exported
from ecavg_tf.core.paths import user_path
from ecavg_tf.data.dataset import DataSpec, EdgeData, Examples
from ecavg_tf.data.own_data import data_place
from ecavg_tf.events import Listener, silent
from ecavg_tf.rounds.joined_task import JoinedTask, joined_edges
from ecavg_tf.rounds.joining import Joiner
from edge.device.local_data import LocalData
from export.jobs.run import FOLDER, export_edges
from export.making.formats import as_asked, parse_formats


@dataclass(frozen=True)
class _OneEdge:
    """The data of one edge, which has nobody else's (a ``FederatedData``)."""

    spec: DataSpec
    data: EdgeData
    test: Examples
    notes: tuple[str, ...] = ()

    @property
    def edges(self) -> tuple[str, ...]:
        return (self.data.edge,)

    def edge(self, name: str) -> EdgeData:
        del name
        return self.data

    def own_test(self, name: str) -> Examples | None:
        del name
        return self.data.test


def export_state(
    state: str | Path,
    edges: Sequence[str] = (),
    *,
    formats: str = "",
    data: str | Path = "",
    label_column: str = "",
    out: str | Path = "",
    accept_unproved: bool = False,
    listener: Listener = silent,
    fresh: bool = False,
) -> tuple[Exported, ...]:
    """Converts the models that edges accepted last, and compares each file with Keras.

    int8 is calibrated on the edge's training examples. Files are compared on its test examples,
    or else on those that it held out to decide with.

    Args:
        state: the folder that ``ecavg edge`` was given.
        edges: whose models; empty: of all edges in the folder.
        formats: separated by commas; empty: all.
        data: the edge's data, if it is not any more where it was in the run: a place, or a
            function ``module:function``.
        label_column: of a table: the name of the column with the labels; empty: as in the run.
        out: where to; empty: ``exports`` in the state folder.
        accept_unproved: delivers files that too few examples prove, too, whatever the run's
            config says.
        listener: told of stages.
        fresh: makes files again that are there already, because signing must not trust them.

    Returns:
        One entry a file, refused and skipped ones included.

    Raises:
        ECAvgError: with one line that says how to mend it.
    """
    state = user_path(state)
    if formats:
        parse_formats(formats)
    known = joined_edges(state)
    if not known:
        raise WorkdirError(
            f"{state} holds no edge that joined a run; give the --state of an 'ecavg edge' that "
            "has answered its server"
        )
    for edge in edges:
        one_of("--edge", edge, known)
    folder = user_path(out) if out else state / FOLDER
    rows: list[Exported] = []
    for edge in edges or known:
        kept = JoinedTask.load(state / edge)
        place = data_place(str(data)) if data else kept.data
        if isinstance(place, Path) and not place.exists():
            raise DataError(f"{place}: the data of {edge} is not there; give its place as --data")
        column = label_column or kept.label_column
        joiner = Joiner(edge, state, state, place, label_column=column, listener=listener)
        task, local = joiner.prepared(kept.config, kept.inputs)
        export = as_asked(task.config.export, formats, accept_unproved=accept_unproved)
        task.config.export = export
        with disk_errors(folder):
            made = export_edges(
                state, task, _own(task.spec, local), (edge,), folder=folder, fresh=fresh
            )
        if not made:
            raise WorkdirError(
                f"{state / edge} has accepted no model yet; it does once the server's first global "
                "model came: in round 2, or at the end of a run of one round"
            )
        rows += made
    return tuple(rows)


def _own(spec: DataSpec, local: LocalData) -> _OneEdge:
    """The edge's data; without a test part, what it held out, and else what it trained on."""
    parts = (local.test, local.edge.guard, local.edge.train)
    test = next(part for part in parts if part is not None and len(part))
    return _OneEdge(spec, replace(local.edge, test=test), test)
