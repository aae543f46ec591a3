"""Images from files, a folder, an ``.npz`` or raw bytes.

Arrays need numpy alone; pictures need Pillow.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ecavg_tf.core.errors import DataError
from ecavg_tf.core.numpy_files import read_arrays
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.pictures import SUFFIXES as PICTURES
from ecavg_tf.core.pictures import counted, find_files, read_picture
from ecavg_tf.core.template import Array
from edge.predict import as_batch, check_inputs

ARRAYS = (".npz", ".npy")
STDIN = "-"

_NAMES = ("inputs", "x", "x_test")


@dataclass(frozen=True)
class Wanted:
    """The images that a model takes.

    Attributes:
        shape: of one example: (height, width, channels).
        dtype: numpy's name of raw images' dtype, for raw bytes.
        value_range: lowest and highest value.
    """

    shape: tuple[int, ...]
    dtype: str
    value_range: tuple[float, float]


def load_inputs(
    sources: Iterable[str],
    wanted: Wanted,
    stdin: BinaryIO | None = None,
    tell: Callable[[str], None] | None = None,
) -> Iterator[tuple[str, Array]]:
    """Gives every image with its name.

    Args:
        sources: files, folders, or ``-`` for raw bytes on standard input.
        wanted: what the model takes.
        stdin: what ``-`` reads; None: standard input.
        tell: told which files in folders are left out; None: nobody is.

    Yields:
        Name, and an array of shape (1, …) in the model's value range.

    Raises:
        DataError: a source is missing, can't be read, or does not fit.
    """
    for source in sources:
        if source == STDIN:
            if stdin is None and sys.stdin is None:
                raise DataError("- means raw bytes on standard input, which is closed")
            yield from _raw(stdin or sys.stdin.buffer, wanted)
            continue
        path = user_path(source)
        for file in _files(path, tell):
            if file.suffix.lower() in ARRAYS:
                yield from _array(file, wanted)
            else:
                yield str(file), _picture(file, wanted)


def _files(path: Path, tell: Callable[[str], None] | None) -> tuple[Path, ...]:
    if path.is_dir():
        found = find_files(path, (*PICTURES, *ARRAYS))
        left_out = f" (left out: {counted(found.left_out)})" if found.left_out else ""
        if not found.files:
            raise DataError(
                f"folder {path} holds no {', '.join((*PICTURES, *ARRAYS))} file{left_out}"
            )
        if left_out and tell is not None:
            tell(f"note: {path}: {len(found.files)} files are read{left_out}")
        return found.files
    if not path.exists():
        raise DataError(f"{path} is not there")
    if path.suffix.lower() not in (*PICTURES, *ARRAYS):
        raise DataError(
            f"{path}: expected a {', '.join((*PICTURES, *ARRAYS))} file, a folder of them, or - "
            "for raw bytes on standard input"
        )
    return (path,)


def _array(path: Path, wanted: Wanted) -> Iterator[tuple[str, Array]]:
    arrays = read_arrays(path)
    name = next((name for name in _NAMES if name in arrays), None)
    if name is None and len(arrays) != 1:
        raise DataError(
            f"{path} holds the arrays {', '.join(sorted(arrays))}; name the images "
            f"{' or '.join(_NAMES)}"
        )
    inputs = arrays[name] if name is not None else next(iter(arrays.values()))
    inputs = as_batch(inputs, wanted.shape)
    check_inputs(inputs, wanted.shape, wanted.value_range, str(path))
    if len(inputs) == 0:
        raise DataError(f"{path} holds no example (shape {inputs.shape}); give at least one")
    for number in range(len(inputs)):
        yield f"{path}[{number}]", inputs[number : number + 1]


def _raw(stream: BinaryIO, wanted: Wanted) -> Iterator[tuple[str, Array]]:
    content = stream.read()
    each = int(np.prod(wanted.shape)) * np.dtype(wanted.dtype).itemsize
    if not content or len(content) % each:
        raise DataError(
            f"standard input gave {len(content)} bytes; one example of shape {wanted.shape} and "
            f"dtype {wanted.dtype} has {each}"
        )
    inputs = np.frombuffer(content, np.dtype(wanted.dtype).newbyteorder("<"))
    inputs = inputs.reshape(-1, *wanted.shape)
    # Bytes of another dtype make another number of images, with values that nobody gave.
    counted = f"{len(inputs)} image{'s' if len(inputs) > 1 else ''}"
    what = f"standard input's {len(content)} bytes, read as {counted} of dtype {wanted.dtype},"
    check_inputs(inputs, wanted.shape, wanted.value_range, what)
    for number in range(len(inputs)):
        yield f"stdin[{number}]", inputs[number : number + 1]


def _picture(path: Path, wanted: Wanted) -> Array:
    """A picture's pixels, stretched from 0..255 to the model's value range."""
    height, width, channels = wanted.shape if len(wanted.shape) == 3 else (0, 0, 0)
    if channels not in (1, 3):
        raise DataError(f"{path}: the model takes shape {wanted.shape}, no pictures; give arrays")
    pixels = read_picture(path, channels, (height, width)).astype(np.float32)
    low, high = wanted.value_range
    return low + pixels.reshape(1, *wanted.shape) / 255.0 * (high - low)
