"""Groups of examples that belong together: a patient's images, a video's frames, a day's."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.errors import DataError
from ecavg_tf.core.numpy_files import decoded
from ecavg_tf.core.seeds import permutation
from ecavg_tf.core.template import Array


def group_names(where: str, given: Any, count: int) -> Array:
    """The group of each example.

    Args:
        where: whose groups they are, for an error.
        given: an array of names or whole numbers.
        count: how many examples there are.

    Raises:
        DataError: they are of another kind, or not one an example.
    """
    groups = np.asarray(given)
    if groups.shape != (count,) or groups.dtype.kind not in "iuUS":
        raise DataError(
            f"{where}: groups have shape {groups.shape} and dtype {groups.dtype}, expected a name "
            f"or a whole number for each of the {count} examples"
        )
    return decoded(where, groups)


def whole_groups(groups: Array, count: int, seed: int, *place: str | int) -> NDArray[np.int64]:
    """Draws whole groups that have at most ``count`` examples together, in rising order.

    Groups are visited in a random order, and each that still fits is taken. If none fits, the
    smallest is taken: groups can't be cut. One group always stays.

    Args:
        groups: the group of each example, shape (n,).
        count: how many examples to draw; 0: none.
        seed: the run's seed.
        *place: what the draw is for; see ``derive_seed``.
    """
    _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = permutation(len(sizes), seed, "groups", *place)
    chosen: list[int] = []
    left = count
    for group in order.tolist():
        if sizes[group] <= left and len(chosen) < len(sizes) - 1:
            chosen.append(group)
            left -= int(sizes[group])
    if not chosen and count > 0 and len(sizes) > 1:
        chosen = [int(np.argmin(sizes))]
    return np.flatnonzero(np.isin(numbers, chosen)).astype(np.int64)


def check_apart(edge: str, parts: dict[str, Array]) -> None:
    """Checks that no group has examples in two parts of an edge's data.

    Raises:
        DataError: one has.
    """
    names = list(parts)
    for number, first in enumerate(names):
        for second in names[number + 1 :]:
            both = np.intersect1d(parts[first].astype(str), parts[second].astype(str))
            if len(both):
                raise DataError(
                    f"edge {edge!r}: group {both[0]!s} has examples in {first} and in {second}; "
                    "move all examples of a group into one part"
                )
