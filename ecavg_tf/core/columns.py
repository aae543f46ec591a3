"""Columns of a table are matched by their names: their order may differ from file to file."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.errors import DataError

_MOST_SHOWN = 6


def positions(
    where: str, columns: Sequence[str], wanted: Sequence[str], whose: str = "needed"
) -> NDArray[np.int64] | None:
    """Where each wanted column is.

    Args:
        where: whose columns they are, for an error.
        columns: names of the columns that are there.
        wanted: names of the columns that a model takes, in its order.
        whose: whose columns these are, for an error.

    Returns:
        Positions, shape (len(wanted),); None: the columns are in the wanted order.

    Raises:
        DataError: one is missing, or one is there that nobody wants.
    """
    if tuple(columns) == tuple(wanted):
        return None
    place = {name: at for at, name in enumerate(columns)}
    missing = [name for name in wanted if name not in place]
    if missing:
        raise DataError(
            f"{where}: {_named(missing)} missing; the columns {whose} are {shown(wanted)}"
        )
    extra = sorted(set(columns) - set(wanted))
    if extra:
        raise DataError(
            f"{where}: {_named(extra)} unknown; the columns {whose} are {shown(wanted)}: leave "
            "others out"
        )
    return np.array([place[name] for name in wanted], np.int64)


def check_columns(
    where: str, columns: Sequence[str] | None, wanted: Sequence[str] | None, whose: str
) -> None:
    """Checks that two data sets have the same columns, in any order, or no names for them both.

    Args:
        where: whose columns they are, for an error.
        columns: their names; None: they have none.
        wanted: those of the other data set; None: they have none.
        whose: the other data set.

    Raises:
        DataError: they differ; the line names a column.
    """
    if (columns is None) != (wanted is None):
        named, other = (where, whose) if wanted is None else (whose, where)
        raise DataError(
            f"{named} names its columns, {other} does not; give both as CSV files, or add an array "
            "columns with the names to an .npz file"
        )
    if columns is not None and wanted is not None:
        positions(where, columns, wanted, f"of {whose}")


def in_order(
    where: str,
    inputs: NDArray[Any],
    columns: Sequence[str] | None,
    wanted: Sequence[str] | None,
) -> NDArray[Any]:
    """Inputs with their columns in the order that a model takes them in.

    Args:
        where: whose inputs they are, for an error.
        inputs: shape (n, columns).
        columns: names of their columns; None: they have none, and stay as they are.
        wanted: names that the model takes; None: it knows none, and they stay as they are.

    Raises:
        DataError: a column is missing, or one is there that nobody wants.
    """
    places = None if columns is None or wanted is None else positions(where, columns, wanted)
    return inputs if places is None else inputs[:, places]


def fault_of(columns: Sequence[str], longest: int) -> str | None:
    """What is wrong with the names of columns, and how to correct it; None: nothing.

    Args:
        columns: the names.
        longest: how many characters a name may have.
    """
    for number, name in enumerate(columns, 1):
        if not name.strip():
            return (
                f"column {number} has no name; give it one, or leave the column out (pandas "
                "writes its row numbers so: use to_csv(…, index=False))"
            )
        if len(name) > longest:
            return (
                f"the name of column {number} has {len(name)} characters, at most {longest} may be"
            )
        if not name.isprintable():
            return f"column {number} has the name {name!r}, which can't be printed; rename it"
    name, count = Counter(columns).most_common(1)[0] if columns else ("", 1)
    return (
        f"column {name!r} is there {count} times; give each a name of its own"
        if count > 1
        else None
    )


def shown(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return ", ".join(names[:_MOST_SHOWN]) + more


def _named(names: Sequence[str]) -> str:
    some = ", ".join(repr(name) for name in names[:_MOST_SHOWN])
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return f"column {some} is" if len(names) == 1 else f"columns {some}{more} are"
