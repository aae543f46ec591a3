"""Arrays of one edge by name, each read when it is asked for; devices without TensorFlow, too."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ecavg_tf.core.numpy_files import array_names, read_arrays, read_header
from ecavg_tf.core.template import Array

SPLITS = ("train", "test", "guard")
TEST = "test"  # in a folder or mapping of edges: the global test set, no edge


class EdgeSource(Protocol):
    """Arrays of one edge, each read when it is asked for."""

    @property
    def names(self) -> frozenset[str]:
        """The names of its arrays."""

    def read(self, name: str) -> Any:
        """One array, or what numpy makes one of."""

    def header(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and dtype of one array of images; its values need not be read."""


class ArraySource:
    """Arrays in memory.

    Args:
        arrays: by name.
    """

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        self._arrays = arrays
        self.names = frozenset(map(str, arrays))

    def read(self, name: str) -> Any:
        """One array, or what numpy makes one of."""
        return self._arrays[name]

    def header(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and dtype of one array."""
        try:
            array = np.asarray(self._arrays[name])
        except ValueError:  # pictures that differ; reading them says so
            array = np.zeros(0, np.object_)
        return array.shape, array.dtype


class NpzSource:
    """An ``.npz`` file; each array is read when it is asked for.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.names = array_names(path)

    def read(self, name: str) -> Array:
        """One array of the file."""
        return read_arrays(self._path, {name})[name]

    def header(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and dtype of one array, from its header alone."""
        return read_header(self._path, name)
