"""Tables as data: a CSV file, or a folder with ``train.csv``, ``test.csv`` and ``guard.csv``.

They give the arrays that an ``.npz`` file may have, and an array ``columns`` with the names of
the inputs.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ecavg_tf.core.columns import positions
from ecavg_tf.core.errors import DataError
from ecavg_tf.core.table import LABEL, SUFFIX, TEXTS, Table, is_table, read_header, read_table
from ecavg_tf.core.template import Array
from ecavg_tf.data.arrays import dataset_from_arrays
from ecavg_tf.data.dataset import Dataset, Examples, class_names, split_off_test
from ecavg_tf.data.edge_arrays import SPLITS
from ecavg_tf.data.groups import whole_groups


def parts_of(path: Path, split: str = "train") -> dict[str, Path]:
    """The files of a data set in tables, by part; empty: it is none.

    Args:
        path: a CSV file, or a folder with ``train.csv``.
        split: which part a single file is.
    """
    if is_table(path) and not path.is_dir():
        return {split: path}
    found = {part: path / f"{part}{SUFFIX}" for part in SPLITS}
    there = {part: file for part, file in found.items() if file.is_file()}
    return there if "train" in there else {}


class TableSource:
    """The tables of one edge, read when they are asked for. Columns are matched by name.

    Args:
        parts: a file for each part.
        label: the name of the column with the labels.
        texts: names of other columns that hold texts.

    Attributes:
        names: the arrays' names: ``x_train``, ``y_train``, and so on; ``columns``, ``classes``
            and the texts, such as ``group`` and ``group_test``.

    Raises:
        DataError: a file can't be read, or its columns are not those of the first.
    """

    def __init__(
        self, parts: Mapping[str, Path], label: str = LABEL, texts: Collection[str] = TEXTS
    ) -> None:
        self._parts, self._label, self._words = parts, label, texts
        heads = {
            split: read_header(path, label=label, texts=texts) for split, path in parts.items()
        }
        self._columns = next(iter(heads.values())).columns
        for split, head in heads.items():
            positions(str(parts[split]), head.columns, self._columns)
        self._texts = {
            _array(text, split): (text, split)
            for split, head in heads.items()
            for text in head.texts
            if text != label
        }
        arrays = (f"{letter}_{split}" for split in parts for letter in "xy")
        self.names = frozenset((*arrays, *self._texts, "columns", "classes"))
        self._labelled: dict[str, Table] = {}

    def read(self, name: str) -> Array:
        """One array; numbers are read again every time, texts are kept."""
        if name == "columns":
            return np.array(self._columns)
        if name == "classes":
            return np.array(self._classes())
        if name in self._texts:
            text, split = self._texts[name]
            return self._read(split).texts[text]
        letter, _, split = name.partition("_")
        if letter == "x":
            return self._inputs(split)
        number = {label: at for at, label in enumerate(self._classes())}
        labels = self._read(split).texts[self._label].tolist()
        return np.array([number[label] for label in labels], np.int64)

    def header(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and dtype of a part's inputs."""
        split = name.partition("_")[2]
        return (len(self._read(split).rows), len(self._columns)), np.dtype(np.float32)

    def _inputs(self, split: str) -> Array:
        path = self._parts[split]
        table = read_table(path, label=self._label, texts=self._words)
        places = positions(str(path), table.columns, self._columns)
        return table.inputs if places is None else table.inputs[:, places]

    def _read(self, split: str) -> Table:
        if split not in self._labelled:
            self._labelled[split] = read_table(
                self._parts[split], label=self._label, texts=self._words, numbers=False
            )
        return self._labelled[split]

    def _classes(self) -> list[str]:
        found = {
            str(label)
            for split in self._parts
            for label in np.unique(self._read(split).texts[self._label])
        }
        return (
            sorted(found, key=lambda name: (int(name), name))
            if all(map(str.isdecimal, found))
            else sorted(found)
        )


def _array(text: str, split: str) -> str:
    return text if split == "train" else f"{text}_{split}"


def arrays_of(source: TableSource) -> dict[str, Array]:
    """All arrays of a source."""
    return {name: source.read(name) for name in sorted(source.names)}


def keyed_arrays(path: Path, label: str, key: str) -> dict[str, Array]:
    """The arrays of tables with a column that names each example's edge.

    Raises:
        DataError: there is no such column, or a file can't be read.
    """
    source = TableSource(parts_of(path), label, (*TEXTS, key))
    if key not in source.names:
        raise DataError(
            f"{path} has no column {key!r} (partition.key) with the name of each example's edge"
        )
    return arrays_of(source)


def load_tables(path: Path, label: str = LABEL) -> Dataset:
    """Loads one data set. Without a test part, a fixed fifth of the examples is split off.

    Args:
        path: a CSV file, or a folder with ``train.csv`` and ``test.csv``.
        label: the name of the column with the labels.

    Raises:
        DataError: a file can't be read.
    """
    source, name = TableSource(parts_of(path), label), path.stem
    train = Examples(source.read("x_train"), source.read("y_train"))
    if "x_test" in source.names:
        test = Examples(source.read("x_test"), source.read("y_test"))
    elif "group" in source.names:
        held = whole_groups(source.read("group"), len(train) // 5, 0, f"{name}-test")
        test = train.take(held)
        train = train.take(np.setdiff1d(np.arange(len(train)), held))
    else:
        train, test = split_off_test(train, name)
    made = dataset_from_arrays(
        name,
        (train.inputs, train.labels),
        (test.inputs, test.labels),
        classes=class_names(source.read("classes").tolist()),
    )
    spec = replace(made.spec, columns=class_names(source.read("columns").tolist()))
    return replace(made, spec=spec, notes=(*made.notes, *_passed_over(path, source)))


def _passed_over(path: Path, source: TableSource) -> tuple[str, ...]:
    """A note on what counts for nothing where the examples of one table are dealt out."""
    names = [name for name in (*TEXTS, "x_guard") if name in source.names]
    if not names:
        return ()
    said = " and ".join("guard.csv" if name == "x_guard" else f"column {name}" for name in names)
    return (
        f"{path}: {said} {'are' if len(names) > 1 else 'is'} not used to deal examples out to "
        "edges; partition.kind=key does that by a column",
    )
