"""Edges with data of their own: each edge's inputs are read when it is asked for."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ecavg_tf.core.columns import in_order
from ecavg_tf.core.errors import DataError
from ecavg_tf.core.template import Array
from ecavg_tf.data.agreement import Declared, agreed, counts_from_1, declared, matched, whose
from ecavg_tf.data.arrays import inputs_of
from ecavg_tf.data.checks import checked_split, shape_note
from ecavg_tf.data.dataset import (
    EdgeData,
    Examples,
    concatenated,
    split_off_guard,
    split_off_test,
)
from ecavg_tf.data.edge_arrays import SPLITS, TEST, EdgeSource
from ecavg_tf.data.edge_sources import check_edge_names
from ecavg_tf.data.groups import check_apart, group_names, whole_groups
from ecavg_tf.data.ranges import ValueRange, measured_range

_READ = {
    *(f"{letter}_{split}" for letter in "xy" for split in SPLITS),
    *("group", "group_test", "group_guard", "classes", "value_range", "columns"),
}


class OwnedData:
    """Data that comes by edge. Labels and headers are read at once, inputs when asked for.

    Inputs are read at once, too, where nobody declares their range of values: it is measured.

    An edge's own test set is its test part. Where neither it nor the source has a test set, a
    fixed fifth of its training examples is split off.

    Args:
        name: what to call the data set.
        sources: where each edge's data lies; ``test`` is the global test set.
        guard_fraction: share that an edge without guard part holds out.
        seed: the run's seed.

    Attributes:
        spec: what the inputs of all edges are.
        edges: the edges' names, in order.
        notes: what the user should read before training.

    Raises:
        DataError: there is no edge, or one does not fit the others.
    """

    def __init__(
        self, name: str, sources: Mapping[str, EdgeSource], guard_fraction: float, seed: int
    ) -> None:
        self.edges = tuple(sorted(edge for edge in sources if edge != TEST))
        if not self.edges:
            raise DataError(f"data.name={name!r} has no edge")
        check_edge_names(list(self.edges))
        self._sources, self._fraction, self._seed = sources, guard_fraction, seed
        self._declared = {each: declared(each, source) for each, source in sources.items()}
        mine: dict[str, Declared] = {edge: self._declared[edge] for edge in self.edges}
        self.spec = agreed(name, mine, self._declared.get(TEST), self._measured)
        found = [shape_note(self.spec), counts_from_1(mine), *map(self._not_read, sources)]
        self.notes: tuple[str, ...] = tuple(note for note in found if note is not None)
        self._made: dict[str, EdgeData] = {}
        self._tests: dict[str, Examples | None] = {}
        self._test: Examples | None = None

    @property
    def test(self) -> Examples:
        """The global test set, or else all edges' own; the same object at every call."""
        if self._test is None:
            if TEST in self._sources:
                self._test = self._part(TEST, TEST)
            else:
                own = [test for edge in self.edges if (test := self.own_test(edge)) is not None]
                if not own:
                    raise DataError("no edge has 5 examples, a fifth of which would be a test set")
                self._test = concatenated(own)
        return self._test

    def own_test(self, name: str) -> Examples | None:
        """An edge's own test set; None: it has none. Of a given test part nothing else is read."""
        if name not in self._tests:
            given = "x_test" in self._sources[name].names
            self._tests[name] = self._part(name, TEST) if given else self.edge(name).test
        return self._tests[name]

    def edge(self, name: str) -> EdgeData:
        """What an edge has, divided into train, guard and test set; made once."""
        if name not in self._made:
            self._made[name] = self._read(name)
        return self._made[name]

    def _read(self, name: str) -> EdgeData:
        names = self._sources[name].names
        train, groups = self._part(name, "train"), self._groups(name, "train")
        test = self.own_test(name) if "x_test" in names else None
        apart = {split: held for split in SPLITS if (held := self._groups(name, split)) is not None}
        check_apart(name, apart)
        if test is None and TEST not in self._sources:
            train, groups, test = _without_test(name, train, groups)
        if "x_guard" in names:
            return EdgeData(name, train, self._part(name, "guard"), test)
        made = split_off_guard(name, train, self._fraction, self._seed, groups)
        return replace(made, test=test)

    def _part(self, name: str, split: str) -> Examples:
        source, where = self._sources[name], f"{whose(name)}, {split}"
        inputs = self._inputs(name, split, self.spec.columns)
        own = self._declared[name].classes
        labels = matched(where, source.read(f"y_{split}"), own, self.spec.classes)
        if len(inputs) == 0 and len(labels) == 0:
            cure = "" if split == "train" else f", or leave x_{split} and y_{split} out"
            raise DataError(f"{where}: the {split} set is empty; give at least one example{cure}")
        return checked_split(where, Examples(inputs, labels), self.spec)

    def _measured(self) -> ValueRange:
        """The range of all edges' training inputs; they are read for it, one edge at a time."""
        columns = self._declared[self.edges[0]].columns
        return measured_range(
            (f"{whose(edge)}, train", self._inputs(edge, "train", columns)) for edge in self.edges
        )

    def _inputs(self, name: str, split: str, columns: tuple[str, ...] | None) -> Array:
        """The inputs of a part, with their columns in this order."""
        where = f"{whose(name)}, {split}"
        inputs = inputs_of(where, self._sources[name].read(f"x_{split}"))
        return in_order(where, inputs, self._declared[name].columns, columns)

    def _groups(self, name: str, split: str) -> Array | None:
        array = "group" if split == "train" else f"group_{split}"
        source = self._sources[name]
        if array not in source.names or f"y_{split}" not in source.names:
            return None
        count = len(np.asarray(source.read(f"y_{split}")))
        return group_names(f"{whose(name)}, {split}", source.read(array), count)

    def _not_read(self, name: str) -> str | None:
        others = sorted(self._sources[name].names - _READ)
        return f"{whose(name)}: {', '.join(others)} not read" if others else None


def _without_test(
    name: str, train: Examples, groups: Array | None
) -> tuple[Examples, Array | None, Examples | None]:
    """Splits a fixed fifth off as test set; none where that is no example."""
    if groups is None:
        rest, test = split_off_test(train, name)
    else:
        held = whole_groups(groups, len(train) // 5, 0, f"{name}-test")
        kept = np.setdiff1d(np.arange(len(train)), held)
        rest, test, groups = train.take(kept), train.take(held), groups[kept]
    return (rest, groups, test) if len(test) else (train, groups, None)
