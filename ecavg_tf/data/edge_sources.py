"""Where one edge's data lies: arrays in memory, an ``.npz`` file, tables, or folders of pictures.

All give the same arrays by name: ``x_train`` and ``y_train``, and where they are there the same
of ``test`` and ``guard``, ``group``, ``group_test``, ``group_guard``, ``classes``,
``value_range`` and ``columns``. What all edges must agree on is read without reading their inputs.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ecavg_tf.core.errors import DataError
from ecavg_tf.core.pictures import SUFFIXES, find_files, is_hidden, read_picture
from ecavg_tf.core.table import LABEL, is_table
from ecavg_tf.core.template import Array
from ecavg_tf.data.edge_arrays import SPLITS, TEST, ArraySource, EdgeSource, NpzSource
from ecavg_tf.data.image_folder import read_classes, resized
from ecavg_tf.data.tables import TableSource, parts_of

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_TAKEN = ("global", "server")  # words for what is no edge, in files and in seeds


class FolderSource:
    """``FOLDER/train/CLASS/*.png``, and ``test`` and ``guard`` alike.

    Args:
        folder: the edge's folder.
        image_size: resize to this height and width; 0: as they are.
        channels: 1 (grey) or 3 (colour); 0: as they are.
        splits: the parts and the folder of each; empty: those of ``SPLITS`` that are there.
    """

    def __init__(
        self, folder: Path, image_size: int, channels: int, splits: Mapping[str, Path] | None = None
    ) -> None:
        there = {split: folder / split for split in SPLITS if (folder / split).is_dir()}
        self._splits = there if splits is None else splits
        self._size, self._channels = image_size, channels
        self._read: dict[str, tuple[Array, Array]] = {}
        parts = (f"{letter}_{split}" for split in self._splits for letter in "xy")
        self.names = frozenset((*parts, "classes"))

    def read(self, name: str) -> Any:
        """One array: pictures, the names of their classes, or the names of all classes."""
        if name == "classes":
            return sorted({each for split in self._splits for each in self._classes(split)})
        letter, _, split = name.partition("_")
        if split not in self._read:
            classes = self._classes(split)
            folder = self._splits[split]
            read = read_classes(folder, classes, self._size, self._channels, [])
            self._read[split] = (read.inputs, np.asarray(classes)[read.labels])
        return self._read[split]["xy".index(letter)]

    def header(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and dtype of a part's pictures, from its first."""
        split = name.partition("_")[2]
        files = find_files(self._splits[split]).files
        if not files:
            raise DataError(f"{self._splits[split]} has no examples; expected CLASS/*.png")
        first = resized(read_picture(files[0], self._channels), self._size, 0)
        return (len(files), *first.shape), first.dtype

    def _classes(self, split: str) -> tuple[str, ...]:
        return tuple(item.name for item in _folders(self._splits[split]))


def _folders(folder: Path) -> list[Path]:
    return sorted(item for item in folder.iterdir() if item.is_dir() and not is_hidden(item.name))


def is_folder_of_edges(folder: Path) -> bool:
    """Whether a folder has a file, or a folder with ``train/CLASS`` or tables, for every edge.

    A folder of images by class has none, whatever tables about the pictures lie beside the
    classes; one with ``train`` or ``train.csv`` is one data set, and a run directory is none.
    """
    if not folder.is_dir() or (folder / "train").is_dir() or parts_of(folder):
        return False
    if is_run_directory(folder):
        return False
    items = tuple(folder.iterdir())
    if any(item.suffix == ".npz" for item in items) or any(map(_is_edge, _folders(folder))):
        return True
    classes = [item for item in _folders(folder) if item.name != TEST]
    return any(map(is_table, items)) and not any(map(_has_pictures, classes))


def is_run_directory(folder: Path) -> bool:
    """Whether a folder is what ``ecavg run`` wrote, whose tables are no data."""
    return (folder / "config.json").is_file() and (folder / "environment.json").is_file()


def _is_edge(folder: Path) -> bool:
    train = folder / "train"
    return bool(parts_of(folder)) or (train.is_dir() and bool(_folders(train)))


def _has_pictures(folder: Path) -> bool:
    return any(item.suffix.lower() in SUFFIXES for item in folder.iterdir())


def sources_in(
    folder: Path, image_size: int, channels: int, label_column: str = LABEL
) -> dict[str, EdgeSource]:
    """The edges of a folder by name; ``test`` is the global test set, if it is there.

    Raises:
        DataError: a name can't be one of an edge, or is there twice.
    """
    found: dict[str, EdgeSource] = {}
    places: dict[str, Path] = {}
    files = (item for item in folder.iterdir() if item.suffix == ".npz" or is_table(item))
    for item in (*_folders(folder), *sorted(files)):
        if is_hidden(item.name):
            continue
        name = item.name if item.is_dir() else item.stem
        if name in found:
            raise DataError(f"edge {name!r} is there twice: {places[name]} and {item}; keep one")
        places[name] = item
        tables = parts_of(item, TEST if name == TEST else "train")
        if tables:
            found[name] = TableSource(tables, label_column)
        elif item.is_dir() and name == TEST:
            found[name] = FolderSource(item, image_size, channels, {TEST: item})
        elif item.is_dir():
            found[name] = FolderSource(item, image_size, channels)
        else:
            found[name] = NpzSource(item)
    return found


def sources_of(where: str, given: Mapping[Any, Any]) -> dict[str, EdgeSource]:
    """The edges of a mapping that a user's function returned, by name.

    Args:
        where: which function, for an error.
        given: by edge: ``(x_train, y_train)``, ``((x_train, y_train), (x_test, y_test))``, or
            a mapping with the arrays that an ``.npz`` file may have. ``test`` is the global
            test set.

    Raises:
        DataError: an edge's data is something else, or a name is there twice.
    """
    found: dict[str, EdgeSource] = {}
    for key, value in given.items():
        name = str(key)
        if name in found:
            raise DataError(f"{where}: edge {name!r} is there twice; give each a name of its own")
        found[name] = ArraySource(arrays_of(f"{where}: edge {name!r}", name, value))
    if set(found) - {TEST} == {"train"}:
        raise DataError(
            f"{where} is a dictionary, which names edges, and its only one is 'train'; give one "
            "data set as ((x_train, y_train), (x_test, y_test)), or the edge another name"
        )
    return found


def arrays_of(where: str, name: str, value: Any) -> Mapping[str, Any]:
    """The arrays by name of what a user's function returned for one edge; see ``sources_of``.

    Raises:
        DataError: it is something else.
    """
    if isinstance(value, Mapping):
        return value
    if isinstance(value, tuple) and len(value) == 2:
        first, second = value
        if not isinstance(first, tuple):
            split = TEST if name == TEST else "train"
            return {f"x_{split}": first, f"y_{split}": second}
        if len(first) == 2 and isinstance(second, tuple) and len(second) == 2:
            names = ("x_train", "y_train", "x_test", "y_test")
            return dict(zip(names, (*first, *second), strict=True))
    raise DataError(
        f"{where} has {type(value).__name__}; expected (x_train, y_train), ((x_train, y_train), "
        "(x_test, y_test)), or a mapping with x_train and y_train"
    )


def check_edge_names(names: list[str]) -> None:
    """Checks that edges' names can be names of files on every system.

    Raises:
        DataError: one can't, or two differ in capital letters alone.
    """
    seen: dict[str, str] = {}
    for name in names:
        if not _NAME.fullmatch(name) or name.lower() in (*_TAKEN, TEST):
            raise DataError(
                f"an edge can't have the name {name!r}; use letters, digits, '-', '_' and '.', no "
                "'.' at its beginning, and none of 'global', 'server' and 'test'"
            )
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise DataError(
                f"edges {other!r} and {name!r} differ in capital letters alone; some systems take "
                "them for one folder: rename one"
            )
