"""What an edge's data is, in an edge's first words to a server."""

from collections.abc import Callable
from pathlib import Path

from ecavg_tf.core.errors import DataError
from ecavg_tf.core.messages.description import Description
from ecavg_tf.core.messages.inputs import Inputs
from ecavg_tf.core.messages.reply import Reply
from ecavg_tf.core.messages.request import Request
from ecavg_tf.data.agreement import declared
from ecavg_tf.data.arrays import inputs_of
from ecavg_tf.data.edge_arrays import EdgeSource, NpzSource
from ecavg_tf.data.labels import numbers_as_names
from ecavg_tf.data.ranges import measured_range
from ecavg_tf.data.tables import TableSource, parts_of


def described(edge: str, source: EdgeSource) -> Description:
    """Describes an edge's data without a word of any one example.

    Inputs are read whole only where nobody declares their range: it is measured then.

    Args:
        edge: the edge's name.
        source: its arrays.

    Raises:
        DataError: a part is missing or can't be read.
    """
    said = declared(edge, source)
    (shape, dtype), where = said.inputs, f"edge {edge!r}, train"
    values = said.values or measured_range([(where, inputs_of(where, source.read("x_train")))])
    inputs = Inputs(
        edge,
        shape,
        dtype,
        values.value_range,
        said.classes or numbers_as_names(f"edge {edge!r}", said.labels[1]),
        values.declared,
        values.feature_ranges,
        said.columns,
    )
    return Description(inputs, "value_range" in source.names, said.classes is not None)


def greet(edge: str, request: Request, describe: Callable[[], Description]) -> Reply:
    """Answers ``hello``.

    Raises:
        DataError: the data is not of the task that the server has already.
    """
    description = describe()
    check_agrees(edge, description, request.inputs)
    return Reply(edge, request.round, None, None, None, seconds={}, description=description)


def check_agrees(edge: str, description: Description, task: Inputs | None) -> None:
    """Checks that an edge's data is of the task; None: nobody has said yet what that is.

    Raises:
        DataError: it is not; the line says what differs.
    """
    if task is not None and (why := description.disagreement(task)) is not None:
        raise DataError(f"the data of edge {edge!r} is not that of the run: {why}")


def source_of(path: Path, label_column: str) -> EdgeSource:
    """The arrays of a file, or of a folder with tables."""
    tables = parts_of(path)
    return TableSource(tables, label_column) if tables else NpzSource(path)
