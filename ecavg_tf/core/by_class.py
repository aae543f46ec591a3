"""How many test examples of each class a model labels right, before and after an edge decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.fields import Fields

KEY = "by_class"  # in an accepted model's evidence
_MOST, _MOST_OF_MANY = 100, 20  # classes that are kept of an edge


@dataclass(frozen=True)
class Hits:
    """Right answers of one model on an edge's own test examples, class by class.

    Attributes:
        classes: which classes, by their numbers.
        n: how many test examples of each there are; above 0.
        right: how many of them it labels right.
    """

    classes: tuple[int, ...] = ()
    n: tuple[int, ...] = ()
    right: tuple[int, ...] = ()


def hits_of(labels: NDArray[np.int64], correct: NDArray[np.bool_], kept: Sequence[float]) -> Hits:
    """Counts right answers.

    Args:
        labels: of the test examples, shape (n,).
        correct: whether each was labelled right, shape (n,).
        kept: shape (classes,); a class with 0 here is left out.
    """
    n = np.bincount(labels, minlength=len(kept))
    right = np.bincount(labels[correct], minlength=len(kept))
    classes = np.flatnonzero((n > 0) & (np.asarray(kept) > 0))
    return Hits(*(tuple(each.tolist()) for each in (classes, n[classes], right[classes])))


@dataclass(frozen=True)
class Compared:
    """Two models on the same test examples, class by class.

    Attributes:
        classes: which classes, by their numbers.
        n: how many test examples of each there are.
        before: how many of them the first model labels right.
        after: how many the second does.
    """

    classes: tuple[int, ...]
    n: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]


def compared(before: Hits, after: Hits, *, many: bool = False) -> Compared:
    """Puts two models side by side; of very many classes those that changed most.

    Args:
        before: of the first model.
        after: of the second one, on the same examples.
        many: whether there are so many edges that fewer classes are kept of each.
    """
    first = dict(zip(before.classes, before.right, strict=True))
    rows = [
        (label, n, first[label], right)
        for label, n, right in zip(after.classes, after.n, after.right, strict=True)
        if label in first
    ]
    most = _MOST_OF_MANY if many else _MOST
    rows = sorted(sorted(rows, key=lambda row: -abs(row[3] - row[2]))[:most])
    return Compared(*map(tuple, zip(*rows, strict=True))) if rows else Compared((), (), (), ())


def to_evidence(found: Compared) -> dict[str, Any]:
    """What an edge's evidence holds; empty: nothing was measured."""
    if not found.classes:
        return {}
    columns = {"classes": found.classes, "n": found.n}
    columns |= {"local": found.before, "accepted": found.after}
    return {KEY: {name: list(column) for name, column in columns.items()}}


def from_evidence(evidence: Mapping[str, Any]) -> Compared | None:
    """Reads what ``to_evidence`` made; None: there is nothing, or it is something else."""
    if KEY not in evidence:
        return None
    try:
        told = Fields(evidence).inner(KEY)
        columns = [told.each(name, Fields.count) for name in ("classes", "n", "local", "accepted")]
    except ValueError:
        return None
    if len({len(column) for column in columns}) != 1:
        return None
    rows = zip(*columns[1:], strict=True)
    sound = all(n > 0 and max(local, accepted) <= n for n, local, accepted in rows)
    return Compared(*columns) if sound else None
