"""The file format of bundles: a zip of stored members, each with its hash in a manifest.

Everything that is read is bounded before it is unpacked; nothing is ever unpickled or written
to disk.
"""

import hashlib
import io
import math
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ecavg_tf.core.errors import ExportError, brief
from ecavg_tf.core.files import NotRegularError, open_regular
from ecavg_tf.core.template import Array
from ecavg_tf.core.zips import open_zip

TRAINING_MARK = "golden_labels.npy"  # a member that training bundles alone have
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can say
_REGULAR = 0o100644 << 16
_FILE_TYPE, _REGULAR_TYPE = 0o170000, 0o100000


def deterministic_zip(members: Mapping[str, bytes]) -> bytes:
    """A zip of stored members in the order given: the same members, the same bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        add_members(archive, members)
    return stream.getvalue()


def add_members(archive: zipfile.ZipFile, members: Mapping[str, bytes]) -> None:
    """Adds members with a fixed time, system and mode."""
    for name, content in members.items():
        entry = zipfile.ZipInfo(name, _EPOCH)
        entry.create_system = 3  # Unix, wherever it is written
        entry.external_attr = _REGULAR
        archive.writestr(entry, content)


def read_members(path: Path, largest: Mapping[str, int]) -> dict[str, bytes]:
    """All members of a bundle's zip, bounded before they are unpacked.

    Args:
        path: the file.
        largest: the members that it must have, and how many bytes each may hold.

    Raises:
        ExportError: it is missing, damaged, or holds anything else.
    """
    try:
        with open_regular(path) as stream, open_zip(stream) as archive:
            _check_members(path, archive.infolist(), largest)
            return {name: _read(path, archive, name) for name in largest}
    except ExportError:
        raise
    except FileNotFoundError as error:
        raise ExportError(f"bundle {path} is not there") from error
    except NotRegularError as error:
        raise ExportError(
            f"bundle {path} is no regular file; give the .bundle.zip itself"
        ) from error
    except Exception as error:  # zipfile raises many kinds
        raise ExportError(f"bundle {path} can't be read: {brief(error)}; get it again") from error


def check_parts(path: Path, contents: Mapping[str, bytes], parts: Mapping[str, Any]) -> None:
    """Compares each member with what the manifest lists of it.

    Raises:
        ExportError: names the first that differs.
    """
    for name, content in contents.items():
        if parts.get(name) != identity(content):
            raise ExportError(
                f"bundle {path}: {name} is not what bundle.json lists (SHA-256 "
                f"{identity(content)['sha256'][:12]}… of {len(content)} bytes); get it again"
            )


def _check_members(path: Path, entries: list[zipfile.ZipInfo], largest: Mapping[str, int]) -> None:
    """Everything the archive's directory says, before a byte of it is unpacked."""
    names = [entry.filename for entry in entries]
    _check_kind(path, set(names), largest)
    for entry in entries:
        name = entry.filename
        if name.startswith(".") or "/" in name or "\\" in name:
            problem = "has a path; a bundle is flat"
        elif name not in largest:
            problem = f"is unknown; a bundle of this kind has {', '.join(largest)}"
        elif names.count(name) > 1:
            problem = "is there twice"
        elif entry.external_attr >> 16 & _FILE_TYPE not in (0, _REGULAR_TYPE):
            problem = "is a link or a device, not a file"
        elif entry.file_size > (most := largest[name]):
            problem = f"unpacks to {entry.file_size} bytes, at most {most} are allowed"
        elif entry.compress_type != zipfile.ZIP_STORED:
            problem = "is compressed; bundles are stored as they are"
        else:
            continue
        raise ExportError(f"bundle {path}: member {name!r} {problem}; don't use it")
    for name in largest:
        if name not in names:
            raise ExportError(f"bundle {path} lacks {name}; get it again")


def _check_kind(path: Path, names: set[str], largest: Mapping[str, int]) -> None:
    """A sound file in the wrong place deserves another answer than damage."""
    if path.suffix == ".tflite":
        raise ExportError(f"{path} is a plain model file; give the .bundle.zip beside it")
    trains, wanted = TRAINING_MARK in names, TRAINING_MARK in largest
    if trains and not wanted:
        raise ExportError(
            f"{path} is a training bundle: 'train' takes it; to predict give a bundle of a format, "
            "such as int8.bundle.zip"
        )
    if wanted and not trains and "model.tflite" in names:
        raise ExportError(
            f"{path} is a bundle to predict with; 'train' takes a training bundle "
            "(ecavg export --trainable=head)"
        )


def _read(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    """Reads no more than the directory states: what it states was bounded before."""
    stated = archive.getinfo(name).file_size
    if stated > path.stat().st_size:
        raise ExportError(f"bundle {path}: {name} is larger than the bundle; get it again")
    try:
        with archive.open(name) as stream:
            content = stream.read(stated + 1)
    except zipfile.BadZipFile as error:
        raise ExportError(
            f"bundle {path}: {name} is damaged ({brief(error)}); get it again"
        ) from error
    if len(content) != stated:
        raise ExportError(f"bundle {path}: {name} is not of the size it states; get it again")
    return content


def npy_bytes(array: Array) -> bytes:
    """An array as the bytes of an ``.npy`` file."""
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(array), allow_pickle=False)
    return stream.getvalue()


def read_array(path: Path, name: str, content: bytes) -> Array:
    """The array in a member; nothing is unpickled.

    Raises:
        ExportError: it is none.
    """
    stream = io.BytesIO(content)
    try:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError("not of npy version 1.0")
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy repairs headers that it did not write
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        values = content[stream.tell() :]
        # Before anything is allocated: a header may claim any size.
        whole = dtype.kind in "fiub" and math.prod(shape) * dtype.itemsize == len(values)
        if fortran or not shape or not whole:
            raise ValueError(f"shape {shape!r:.60} of {dtype}, {len(values)} bytes")
        return np.frombuffer(values, dtype).reshape(shape)
    except Exception as error:  # numpy's reader raises many kinds
        raise ExportError(f"bundle {path}: {name} is no array ({brief(error)})") from error


def identity(content: bytes) -> dict[str, Any]:
    """What a manifest lists of a member."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
