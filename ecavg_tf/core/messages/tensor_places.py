"""Where the arrays of a safetensors file lie: its header, read once and bounded before."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from ecavg_tf.core.files import load_json, open_regular
from ecavg_tf.core.template import Array

_LONGEST_HEADER = 2**24  # bytes
_MOST_ARRAYS = 100_000
_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
}


class Places:
    """The header of a file; whether it is sound is for safetensors to say, before any read.

    Args:
        path: the file.

    Raises:
        ValueError: it is too large, holds too many arrays, or is no header.
        OSError: the file can't be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with open_regular(path) as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > _LONGEST_HEADER:
                raise ValueError(
                    f"its header has {length} bytes, at most {_LONGEST_HEADER} are read"
                )
            places = load_json(stream.read(length))
        if not isinstance(places, dict):
            raise ValueError("its header is no object")
        places.pop("__metadata__", None)
        if len(places) > _MOST_ARRAYS:
            raise ValueError(f"it has {len(places)} arrays, at most {_MOST_ARRAYS} are read")
        self._places: dict[str, Any] = places
        self._begin = 8 + length

    def read(self, key: str) -> Array:
        """Reads one array.

        Raises:
            ValueError, KeyError, TypeError, OSError: there is none, or none that numpy has.
        """
        return self._values(key, 0, None).reshape(self._places[key]["shape"])

    def part(self, key: str, first: int, stop: int) -> Array:
        """Reads some values of one array, shape (n,): those of its flat indices [first, stop).

        Raises:
            ValueError, KeyError, TypeError, OSError: as ``read``, or it has no such values.
        """
        values = self._values(key, first, stop)
        if len(values) != stop - first:
            raise ValueError(f"it has no values {first} to {stop}")
        return values

    def _values(self, key: str, first: int, stop: int | None) -> Array:
        place = self._places[key]
        dtype = np.dtype(_DTYPES[place["dtype"]])
        begin, end = (self._begin + offset for offset in place["data_offsets"])
        with self._path.open("rb") as stream:
            if not self._begin <= begin <= end <= os.fstat(stream.fileno()).st_size:
                raise ValueError("it lies outside of the file")
            at = range((end - begin) // dtype.itemsize)[first:stop]
            stream.seek(begin + at.start * dtype.itemsize)
            return np.fromfile(stream, dtype, len(at))
