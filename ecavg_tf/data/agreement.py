"""What edges with data of their own agree on: shape, dtype, range and classes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.columns import check_columns
from ecavg_tf.core.errors import DataError
from ecavg_tf.core.template import Array
from ecavg_tf.data.arrays import shape_of_one, stored_classes, stored_columns, stored_range
from ecavg_tf.data.checks import check_spec
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.data.edge_arrays import SPLITS, TEST, EdgeSource
from ecavg_tf.data.labels import native_labels, numbers_as_names
from ecavg_tf.data.ranges import ValueRange, known_range


@dataclass(frozen=True)
class Declared:
    """What one edge's data says of itself.

    Attributes:
        inputs: the shape of one input, and the dtype's name.
        values: lowest and highest value that an input can hold; None: it declares none.
        classes: names of its classes in the order of its numbers; None: it has numbers alone.
        labels: lowest and highest label; (0, 0) where labels are names.
        columns: names of its inputs, where they are the columns of a table.
    """

    inputs: tuple[tuple[int, ...], str]
    values: ValueRange | None
    classes: tuple[str, ...] | None
    labels: tuple[int, int]
    columns: tuple[str, ...] | None = None


def whose(name: str) -> str:
    """An edge, or the global test set, in a message."""
    return "the global test set" if name == TEST else f"edge {name!r}"


def declared(name: str, source: EdgeSource) -> Declared:
    """Reads what an edge's data says of itself: labels, and of its inputs the header alone.

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
    one = shape_of_one(where, shape, dtype)
    dtype = np.dtype(np.float32) if dtype == np.float64 else dtype
    given = stored_range(where, _stored(source, "value_range"))
    classes, labels = _labels(where, source)
    return Declared(
        (one, dtype.name),
        known_range(given, one, dtype),
        classes,
        labels,
        stored_columns(where, _stored(source, "columns")),
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


def agreed(
    name: str,
    found: Mapping[str, Declared],
    test: Declared | None,
    measure: Callable[[], ValueRange],
) -> DataSpec:
    """The description that fits all edges.

    Args:
        name: what to call the data set.
        found: what each edge's data says, in the edges' order.
        test: what the global test set says; None: there is none.
        measure: measures the range on all edges' training data, where none declares it.

    Raises:
        DataError: an edge's differs from the others'; the line names it.
    """
    everybody = dict(found) if test is None else {**found, TEST: test}
    first, reference = next(iter(found.items()))
    for edge, each in everybody.items():
        check_columns(whose(edge), each.columns, reference.columns, whose(first))
    shape, dtype = reference.inputs
    _check_same("inputs", {edge: _inputs(each) for edge, each in everybody.items()})
    ranges = {edge: each.values for edge, each in everybody.items() if each.values is not None}
    _check_same("the value range", {edge: each.value_range for edge, each in ranges.items()})
    classes = _classes(found, test)
    values = next(iter(ranges.values())) if ranges else measure()
    return check_spec(
        DataSpec(
            name,
            shape,
            dtype,
            values.value_range,
            classes,
            values.declared,
            values.feature_ranges,
            reference.columns,
        )
    )


def _check_same(what: str, found: Mapping[str, object]) -> None:
    """Makes sure that all who say something say the same."""
    for edge, theirs in found.items():
        first, mine = next(iter(found.items()))
        if mine != theirs:
            raise DataError(
                f"{whose(edge)} differs from {whose(first)}: {what} {theirs}, and {mine}; all "
                "edges need the same"
            )


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
    largest = max(everybody, key=lambda each: each.labels[1])
    where = next((whose(edge) for edge, each in found.items() if each is largest), whose(TEST))
    return numbers_as_names(where, largest.labels[1])


def counts_from_1(found: Mapping[str, Declared]) -> str | None:
    """A note where an edge's numbers may count the classes from 1, and others' from 0."""
    if any(each.classes is not None for each in found.values()):
        return None
    from_0 = [each.labels for each in found.values() if each.labels[0] == 0]
    others = max(from_0, key=lambda labels: labels[1], default=None)
    if others is None:
        return None
    last = others[1] + 1
    edges = [edge for edge, each in found.items() if each.labels == (1, last)]
    if not edges:
        return None
    return (
        f"edge {edges[0]!r} has the labels 1 to {last}, the others begin at 0 and end at "
        f"{others[1]}: class {last} is on no other edge. If that edge counts from 1, number its "
        "classes from 0, or give each edge an array classes with their names"
    )


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
