"""What edges with data of their own agree on: shape, dtype, range and classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.errors import DataError
from ecavg_tf.core.template import Array
from ecavg_tf.data.arrays import default_range, stored_classes, stored_range
from ecavg_tf.data.checks import check_spec
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.data.edge_sources import SPLITS, TEST, EdgeSource
from ecavg_tf.data.labels import native_labels


@dataclass(frozen=True)
class Declared:
    """What one edge's data says of itself.

    Attributes:
        inputs: height, width and channels, and the dtype's name.
        value_range: lowest and highest value that an image can hold.
        classes: names of its classes in the order of its numbers; None: it has numbers alone.
        labels: lowest and highest label; (0, 0) where labels are names.
    """

    inputs: tuple[tuple[int, ...], str]
    value_range: tuple[float, float]
    classes: tuple[str, ...] | None
    labels: tuple[int, int]


def whose(name: str) -> str:
    """An edge, or the global test set, in a message."""
    return "the global test set" if name == TEST else f"edge {name!r}"


def declared(name: str, source: EdgeSource) -> Declared:
    """Reads what an edge's data says of itself: labels, and of its images the header alone.

    Raises:
        DataError: a part is missing or can't be read.
    """
    where, first = whose(name), TEST if name == TEST else "train"
    for split in SPLITS:
        parts = [f"{letter}_{split}" for letter in "xy"]
        missing = [part for part in parts if part not in source.names]
        if missing and (split == first or len(missing) == 1):
            there = ", ".join(sorted(source.names)) or "nothing"
            raise DataError(f"{where} has no {missing[0]}; it has {there}")
    shape, dtype = source.header(f"x_{first}")
    shape = (*shape, 1) if len(shape) == 3 else shape
    if len(shape) != 4:
        raise DataError(
            f"{where}: images have shape {shape}; expected (n, height, width) or (n, height, "
            "width, channels)"
        )
    dtype = np.dtype(np.float32) if dtype == np.float64 else dtype
    given = _stored(source, "value_range")
    classes, labels = _labels(where, source)
    return Declared(
        (shape[1:], dtype.name),
        stored_range(where, given) or default_range(dtype),
        classes,
        labels,
    )


def _stored(source: EdgeSource, name: str) -> Array | None:
    return np.asarray(source.read(name)) if name in source.names else None


def _labels(where: str, source: EdgeSource) -> tuple[tuple[str, ...] | None, tuple[int, int]]:
    """Names of an edge's classes, and its lowest and highest number."""
    classes = stored_classes(where, _stored(source, "classes"))
    names: set[str] = set()
    numbers: list[int] = []
    for split in SPLITS:
        if f"y_{split}" not in source.names:
            continue
        if split == TEST or "classes" not in source.names or split == "train":
            labels = native_labels(f"{where}, {split}", source.read(f"y_{split}"))
            if labels.dtype.kind == "U":
                names |= set(labels.tolist())
            elif len(labels):
                numbers += [int(labels.min()), int(labels.max())]
    if names and numbers:
        raise DataError(f"{where}: some labels are names, some are numbers; use one of the two")
    if names and classes is not None and names - set(classes):
        raise DataError(
            f"{where}: unknown class {min(names - set(classes))!r}; its array classes names "
            f"{', '.join(classes)}"
        )
    if names and classes is None:
        classes = tuple(sorted(names))
    return classes, (min(numbers), max(numbers)) if numbers else (0, 0)


def agreed(name: str, found: Mapping[str, Declared], test: Declared | None) -> DataSpec:
    """The description that fits all edges.

    Args:
        name: what to call the data set.
        found: what each edge's data says, in the edges' order.
        test: what the global test set says; None: there is none.

    Raises:
        DataError: an edge's differs from the others'; the line names it.
    """
    first, reference = next(iter(found.items()))
    for edge, other in (*found.items(), *([(TEST, test)] if test is not None else [])):
        for what, mine, theirs in (
            ("inputs", _inputs(reference), _inputs(other)),
            ("the value range", reference.value_range, other.value_range),
        ):
            if mine != theirs:
                raise DataError(
                    f"{whose(edge)} differs from edge {first!r}: {what} {theirs}, and {mine}; all "
                    "edges need the same"
                )
    (height, width, channels), dtype = reference.inputs
    classes = _classes(found, test)
    spec = DataSpec(name, (height, width, channels), dtype, reference.value_range, classes)
    return check_spec(spec)


def _inputs(declared: Declared) -> str:
    return f"{declared.inputs[1]}{declared.inputs[0]}"


def _classes(found: Mapping[str, Declared], test: Declared | None) -> tuple[str, ...]:
    named = {edge: each.classes for edge, each in found.items() if each.classes is not None}
    numbered = [edge for edge in found if edge not in named]
    if named and numbered:
        raise DataError(
            f"edge {next(iter(named))!r} names its classes, edge {numbered[0]!r} has numbers "
            "alone; give it an array classes with their names, or labels that are names"
        )
    if named:
        union = _union(list(named.values()))
        unknown = sorted(set(test.classes or ()) - set(union)) if test is not None else []
        if unknown:
            raise DataError(
                f"the global test set has the unknown class {unknown[0]!r}; the edges have "
                f"{', '.join(union)}"
            )
        return union
    if min(each.labels[0] for each in found.values()) > 0:
        lowest = min(each.labels[0] for each in found.values())
        raise DataError(
            f"labels begin at {lowest} and have no names; number the classes from 0, or give each "
            "edge an array classes with their names"
        )
    everybody = [*found.values(), *([test] if test is not None else [])]
    return tuple(str(label) for label in range(max(each.labels[1] for each in everybody) + 1))


def _union(named: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """All names: in the order of the edge that has them all, else sorted."""
    union = {name for names in named for name in names}
    whole = [names for names in named if set(names) == union]
    return whole[0] if whole else tuple(sorted(union))


def matched(
    where: str, given: object, own: tuple[str, ...] | None, classes: tuple[str, ...]
) -> NDArray[np.int64]:
    """Labels as numbers of the task's classes, matched by name where there are names.

    Args:
        where: whose labels they are, for an error.
        given: names, or numbers of the edge's own classes.
        own: the edge's own classes; None: its numbers are the task's.
        classes: the task's.

    Raises:
        DataError: a label names no class.
    """
    labels = native_labels(where, given)
    number = {name: index for index, name in enumerate(classes)}
    if labels.dtype.kind == "U":
        unknown = sorted(set(labels.tolist()) - set(own or classes))
        if unknown:
            raise DataError(
                f"{where}: unknown class {unknown[0]!r}; valid: {', '.join(own or classes)}"
            )
        return np.array([number[name] for name in labels.tolist()], np.int64)
    if own is None:
        return labels
    wrong = np.flatnonzero((labels < 0) | (labels >= len(own)))
    if len(wrong):
        raise DataError(
            f"{where}: label {labels[wrong[0]]} of example {wrong[0]} names no class, expected 0 "
            f"to {len(own) - 1}, the numbers of {', '.join(own[:8])}"
        )
    return np.array([number[name] for name in own], np.int64)[labels]
