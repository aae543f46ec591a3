"""Columns of a table are matched by their names: their order may differ from file to file."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.errors import DataError

_MOST_SHOWN = 6


def positions(
    where: str, columns: Sequence[str], wanted: Sequence[str]
) -> NDArray[np.int64] | None:
    """Where each wanted column is.

    Args:
        where: whose columns they are, for an error.
        columns: names of the columns that are there.
        wanted: names of the columns that a model takes, in its order.

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
            f"{where}: {_named(missing)} missing; the columns needed are {shown(wanted)}"
        )
    extra = sorted(set(columns) - set(wanted))
    if extra:
        raise DataError(
            f"{where}: {_named(extra)} unknown; the columns needed are {shown(wanted)}: leave "
            "others out"
        )
    return np.array([place[name] for name in wanted], np.int64)


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
