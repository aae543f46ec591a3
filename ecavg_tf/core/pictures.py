"""The rules for reading an image file: training and devices read it alike, or both refuse it.

Pillow decodes. A device that is given arrays alone does not need it.
"""

import os
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.errors import DataError, InstallationError, brief
from ecavg_tf.core.files import NotRegularError, open_regular

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    *(".bmp", ".gif", ".webp", ".tif", ".tiff"),
)
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")  # Pillow would try fifty others
_NONE_OF_THEM = f"it is no {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]} file"
_GREY = ("1", "L")
_COLOUR = ("P", "RGB", "CMYK", "YCbCr")
_WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
_DEEP = ("I", "F")
_CURE = "save it as 8-bit grey or RGB"

_ORIENTATION = 0x112  # the EXIF tag
_TURNED = range(2, 9)  # 1 is upright; 0 and what is not in the standard say nothing
_TIFF_BITS = 258  # the TIFF tag BitsPerSample
_PNG_DEPTH = 24  # where a PNG keeps its bits a channel


def read_picture(
    path: Path, channels: int = 0, size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Reads a picture, of an animation the first frame.

    Args:
        path: a PNG, JPEG, BMP, GIF, WebP or TIFF file, whatever its name ends in.
        channels: 1 (grey) or 3 (colour); 0: as the picture is.
        size: (height, width) that it must have; None: any.

    Returns:
        Shape (height, width, channels), uint8.

    Raises:
        DataError: it can't be read without a guess: it is damaged, transparent, turned, or
            has more than 8 bits a channel.
        InstallationError: Pillow is not there.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise InstallationError(
            f"{path}: pictures need Pillow: pip install pillow (arrays need nothing)"
        ) from error
    try:
        with warnings.catch_warnings(), open_regular(path) as stream:
            warnings.simplefilter("ignore")  # of metadata that is not needed
            header = stream.read(_PNG_DEPTH + 1)
            stream.seek(0)
            with Image.open(stream, formats=_FORMATS) as picture:
                _check_kind(path, picture, header)
                _check_size(path, picture, size)
                if picture.getexif().get(_ORIENTATION) in _TURNED:
                    raise DataError(
                        f"{path} says in its EXIF data that it is turned; save it upright"
                    )
                return _pixels(picture, channels)
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{path} is not there") from error
    except NotRegularError as error:
        raise DataError(f"{path} is no regular file; give the picture itself") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is no picture that can be read ({_NONE_OF_THEM})") from error
    except Exception as error:  # decoders raise many kinds for a damaged or hostile file
        raise DataError(f"{path} is no picture that can be read ({brief(error)})") from error


def _check_kind(path: Path, picture: "Image", header: bytes) -> None:
    mode = picture.mode
    if mode in _WITH_ALPHA or "transparency" in picture.info:
        raise DataError(f"{path} is transparent, or has a channel for it (kind {mode}); {_CURE}")
    if mode.split(";")[0] in _DEEP or _bits(picture, header) > 8:
        raise DataError(
            f"{path} has more than 8 bits a channel (kind {mode}); {_CURE}, or give its numbers "
            "as an array with its value_range (.npz)"
        )
    if mode not in (*_GREY, *_COLOUR):
        raise DataError(f"{path} has pixels of kind {mode}; {_CURE}")


def _bits(picture: "Image", header: bytes) -> int:
    """Bits a channel as the file has them: Pillow cuts 16-bit colour to 8 without a word."""
    if picture.format == "PNG":
        if header[12:16] != b"IHDR":
            raise ValueError("its first chunk is not IHDR")
        return header[_PNG_DEPTH]
    tags: Any = getattr(picture, "tag_v2", {})
    stored = tags.get(_TIFF_BITS, 1)
    return max(stored) if isinstance(stored, tuple) else int(stored)


def _check_size(path: Path, picture: "Image", size: tuple[int, int] | None) -> None:
    if size is not None and (picture.height, picture.width) != size:
        raise DataError(
            f"{path} is {picture.width} wide and {picture.height} high, the model takes "
            f"{size[1]} and {size[0]}; resize it as the training images were"
        )


def _pixels(picture: "Image", channels: int) -> NDArray[np.uint8]:
    grey = picture.mode in _GREY
    shown = picture.convert("L" if grey else "RGB")
    if channels == 1 or (channels == 0 and grey):
        return np.asarray(shown.convert("L"), np.uint8)[..., np.newaxis]
    return np.asarray(shown.convert("RGB"), np.uint8)


@dataclass(frozen=True)
class Found:
    """The files in a folder and in the folders below it.

    Attributes:
        files: the files that can be read, sorted.
        left_out: how many others by kind, such as ``.heic``. Hidden files do not count.
    """

    files: tuple[Path, ...]
    left_out: Counter[str]


def find_files(folder: Path, suffixes: tuple[str, ...] = SUFFIXES) -> Found:
    """Finds files by suffix, in any case; hidden files and folders are passed over.

    Args:
        folder: where to look, and in the folders below it.
        suffixes: what can be read, with the dot, in lower case.
    """
    files: list[Path] = []
    left_out: Counter[str] = Counter()
    for place, below, names in os.walk(folder):
        left_out["link to a folder"] += sum(Path(place, name).is_symlink() for name in below)
        below[:] = [name for name in below if not is_hidden(name)]
        for path in (Path(place, name) for name in names if not is_hidden(name)):
            suffix = path.suffix.lower()
            if suffix in suffixes:
                files.append(path)
            else:
                left_out[suffix or "without a suffix"] += 1
    return Found(tuple(sorted(files)), +left_out)


def is_hidden(name: str) -> bool:
    """Whether a file or folder is there for the system and not for the user."""
    return name.startswith(".") or name == "__MACOSX"


def counted(left_out: Counter[str]) -> str:
    """``20 .heic, 1 .txt``: what was left out, the most frequent first."""
    return ", ".join(f"{count} {kind}" for kind, count in left_out.most_common())
