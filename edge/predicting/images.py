"""Images from files, a folder, an ``.npz`` or raw bytes.

Arrays need numpy alone; PNG and JPEG need Pillow.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ecavg_tf.core.errors import DataError, InstallationError
from ecavg_tf.core.numpy_files import read_arrays
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.template import Array
from edge.predict import check_images

PICTURES = (".png", ".jpg", ".jpeg")
ARRAYS = (".npz", ".npy")
STDIN = "-"
_ORIENTATION = 0x112  # the EXIF tag

_NAMES = ("images", "x", "x_test")


@dataclass(frozen=True)
class Wanted:
    """What a model takes.

    Attributes:
        shape: of one image: (height, width, channels).
        dtype: numpy's name of raw images' dtype, for raw bytes.
        value_range: lowest and highest value.
    """

    shape: tuple[int, ...]
    dtype: str
    value_range: tuple[float, float]


def load_images(
    sources: Iterable[str], wanted: Wanted, stdin: BinaryIO | None = None
) -> Iterator[tuple[str, Array]]:
    """Gives every image with its name.

    Args:
        sources: files, folders, or ``-`` for raw bytes on standard input.
        wanted: what the model takes.
        stdin: what ``-`` reads; None: standard input.

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
        for file in _files(path):
            if file.suffix.lower() in ARRAYS:
                yield from _array(file, wanted)
            else:
                yield str(file), _picture(file, wanted)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.suffix.lower() in (*PICTURES, *ARRAYS))
        if not found:
            raise DataError(f"folder {path} holds no {', '.join((*PICTURES, *ARRAYS))} file")
        return found
    if not path.exists():
        raise DataError(f"{path} is not there")
    if path.suffix.lower() not in (*PICTURES, *ARRAYS):
        raise DataError(
            f"{path}: expected a {', '.join((*PICTURES, *ARRAYS))} file, a folder of them, or - "
            "for raw bytes on standard input"
        )
    return [path]


def _array(path: Path, wanted: Wanted) -> Iterator[tuple[str, Array]]:
    arrays = read_arrays(path)
    name = next((name for name in _NAMES if name in arrays), None)
    if name is None and len(arrays) != 1:
        raise DataError(
            f"{path} holds the arrays {', '.join(sorted(arrays))}; name the images "
            f"{' or '.join(_NAMES)}"
        )
    images = arrays[name] if name is not None else next(iter(arrays.values()))
    if images.shape == wanted.shape:
        images = images[np.newaxis]
    check_images(images, wanted.shape, wanted.value_range, str(path))
    if len(images) == 0:
        raise DataError(f"{path} holds no image (shape {images.shape}); give at least one")
    for number in range(len(images)):
        yield f"{path}[{number}]", images[number : number + 1]


def _raw(stream: BinaryIO, wanted: Wanted) -> Iterator[tuple[str, Array]]:
    content = stream.read()
    each = int(np.prod(wanted.shape)) * np.dtype(wanted.dtype).itemsize
    if not content or len(content) % each:
        raise DataError(
            f"standard input gave {len(content)} bytes; one image of shape {wanted.shape} and "
            f"dtype {wanted.dtype} has {each}"
        )
    images = np.frombuffer(content, np.dtype(wanted.dtype).newbyteorder("<"))
    images = images.reshape(-1, *wanted.shape)
    # Bytes of another dtype make another number of images, with values that nobody gave.
    counted = f"{len(images)} image{'s' if len(images) > 1 else ''}"
    what = f"standard input's {len(content)} bytes, read as {counted} of dtype {wanted.dtype},"
    check_images(images, wanted.shape, wanted.value_range, what)
    for number in range(len(images)):
        yield f"stdin[{number}]", images[number : number + 1]


def _picture(path: Path, wanted: Wanted) -> Array:
    """A picture's pixels, stretched from 0..255 to the model's value range."""
    height, width, channels = wanted.shape if len(wanted.shape) == 3 else (0, 0, 0)
    if channels not in (1, 3):
        raise DataError(f"{path}: the model takes shape {wanted.shape}, no pictures; give arrays")
    if not path.is_file():  # a pipe: opening it could wait for ever
        raise DataError(f"{path} is no regular file; give the picture itself")
    try:
        from PIL import Image
    except ImportError as error:
        raise InstallationError(
            f"{path}: pictures need Pillow: pip install pillow (arrays need nothing)"
        ) from error
    try:
        with Image.open(path) as picture:
            if picture.size != (width, height):
                raise DataError(
                    f"{path} is {picture.size[0]} wide and {picture.size[1]} high, the model takes "
                    f"{width} and {height}; resize it as the training images were"
                )
            if picture.mode not in ("1", "L", "P", "RGB") or "transparency" in picture.info:
                raise DataError(
                    f"{path} has pixels of kind {picture.mode}, or is transparent; save it "
                    "as 8-bit grey or RGB"
                )
            if picture.getexif().get(_ORIENTATION, 1) != 1:
                raise DataError(f"{path} says in its EXIF data that it is turned; save it upright")
            pixels = np.asarray(picture.convert("L" if channels == 1 else "RGB"), np.float32)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is no picture that can be read ({error})") from error
    low, high = wanted.value_range
    return low + pixels.reshape(1, *wanted.shape) / 255.0 * (high - low)
