"""Arrays from numpy's own files, which may be damaged or hostile: nothing is unpickled."""

import sys
import warnings
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np

from ecavg_tf.core.errors import DataError, brief
from ecavg_tf.core.files import NotRegularError, open_regular
from ecavg_tf.core.template import Array
from ecavg_tf.core.zips import open_zip

_UNPACKED = 2**28  # bytes that any packed file may unpack to
_TIMES = 20  # larger ones: how many times their own size; pictures are packed 2 to 10 times


def read_arrays(path: Path, only: Collection[str] | None = None) -> dict[str, Array]:
    """All arrays of an ``.npz`` file by name, or that of an ``.npy`` file as ``x``.

    Args:
        path: the file.
        only: of an ``.npz`` file: read arrays of these names alone; None: all.

    Raises:
        DataError: it can't be read, holds Python objects, or unpacks to more than 256 MiB and
            more than 20 times its own size.
    """
    try:
        # Opened here: numpy leaves its own handle open where the zip is damaged.
        with open_regular(path) as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            _check_unpacked(stream, path.stat().st_size)
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"x": loaded}
            with loaded:
                found = {name: loaded[name] for name in _wanted(_sound(loaded.files), only)}
    except FileNotFoundError as error:
        raise DataError(f"{path} is not there") from error
    except NotRegularError as error:
        raise DataError(f"{path} is no regular file; give the .npz or .npy file itself") from error
    except Exception as error:  # zipfile and numpy raise many kinds
        raise DataError(
            f"{path} can't be read as numpy arrays: {brief(error)}; save plain numbers with "
            "numpy.savez"
        ) from error
    for name, array in found.items():
        if not isinstance(array, np.ndarray):  # numpy hands out such members as bytes
            raise DataError(f"{path}: {name} is no array; save the file with numpy.savez")
        if array.size and not array.itemsize:  # billions of entries would take no byte of the file
            raise DataError(
                f"{path}: {name} claims {array.size} entries of no bytes; save it again"
            )
        if not _is_text(array):
            raise DataError(f"{path}: {name} holds numbers that are no letters; save texts")
    return found


def _is_text(array: Array) -> bool:
    """Whether an array of texts holds texts: numpy takes any numbers, and Python then fails."""
    if array.dtype.kind != "U" or not array.nbytes:
        return True
    letters = np.dtype(np.uint32).newbyteorder(array.dtype.byteorder)
    return int(np.frombuffer(array.tobytes(), letters).max()) <= sys.maxunicode


def decoded(where: str, texts: Array) -> Array:
    """An array of texts that may be bytes, as texts.

    Args:
        where: what they are, for an error.
        texts: of dtype kind ``S``, or any other, which stays as it is.

    Raises:
        DataError: bytes that are no UTF-8.
    """
    if texts.dtype.kind != "S":
        return texts
    try:
        return np.char.decode(texts, "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: bytes that are no UTF-8 came; save texts") from error


def _check_unpacked(stream: IO[bytes], size: int) -> None:
    """What a packed file says that it unpacks to, before a byte is unpacked."""
    packed = stream.read(2) == b"PK"
    stream.seek(0)
    if not packed:
        return
    with open_zip(stream) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    stream.seek(0)
    most = max(_UNPACKED, _TIMES * size)
    if unpacked > most:
        raise ValueError(f"it unpacks to {unpacked} bytes, at most {most} are read of {size}")


def _sound(names: Iterable[str]) -> list[str]:
    """The names of arrays, which errors tell: each is a part of one line."""
    found = list(names)
    for name in found:
        if not name.isprintable():
            raise ValueError(f"an array has the name {name!r}, which can't be printed")
    return found


def _wanted(names: list[str], only: Collection[str] | None) -> list[str]:
    return [name for name in names if only is None or name in only]


def read_header(path: Path, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype of one array of an ``.npz`` file, whose values are not read.

    Raises:
        DataError: it can't be read, or holds no such array.
    """
    try:
        with (
            open_regular(path) as stream,
            open_zip(stream) as archive,
            archive.open(f"{name}.npy") as member,
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            version = np.lib.format.read_magic(member)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, _, dtype = read(member)
    except Exception as error:  # zipfile and numpy raise many kinds
        raise DataError(f"{path}: {name} can't be read: {brief(error)}") from error
    return shape, dtype


def array_names(path: Path) -> frozenset[str]:
    """Names of the arrays of an ``.npz`` file.

    Raises:
        DataError: it can't be read.
    """
    try:
        with open_regular(path) as stream, open_zip(stream) as archive:
            return frozenset(_sound(name.removesuffix(".npy") for name in archive.namelist()))
    except Exception as error:  # zipfile raises many kinds
        raise DataError(
            f"{path} can't be read as numpy arrays: {brief(error)}; save plain numbers with "
            "numpy.savez"
        ) from error
