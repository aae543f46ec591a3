"""Writing a file whole or not at all, and JSON that is the same bytes every time."""

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import stat
from collections.abc import Collection, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from ecavg_tf.core.errors import WorkdirError, full_disk

TEMPORARY_PREFIX = ".ecavg-"
_LEFTOVER = re.compile(re.escape(TEMPORARY_PREFIX) + "[0-9a-f]{16}-.+", re.DOTALL)
_BLOCK = 2**20
LOCK = TEMPORARY_PREFIX + "lock"  # in a folder that a process has locked once


class NotRegularError(OSError):
    """A folder, a pipe or a device came where a file was expected."""


@contextlib.contextmanager
def atomic_path(path: Path, *, synced: bool = True) -> Iterator[Path]:
    """Yields a temporary path beside ``path`` that replaces it when the block succeeds.

    The temporary name ends like the final one, because savers such as Keras' choose the
    format by it. A process that is killed leaves it behind: whoever lists a folder
    passes over names with ``TEMPORARY_PREFIX``. On an exception the temporary file is
    removed and ``path`` stays as it was.

    Args:
        path: the file.
        synced: whether it must survive a loss of power, too; if not, a reader must be able to
            tell that it is torn.

    Raises:
        OSError: it can't be written; on a full disk, whatever the block raised about it
            becomes an ``OSError`` that names ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}-{path.name}"
    # Follows the user's umask, as mkstemp does not: asking for the umask means setting it, for
    # all threads.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
    try:
        yield temporary
        if synced:
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
        temporary.replace(path)
        if synced:
            _sync_folder(path.parent)
    except Exception as error:
        # Each library says it in its own way; shutil.copyfile names the source.
        code = full_disk(error)
        if code is None:
            raise
        raise OSError(code, os.strerror(code), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path, below: Collection[str] | None = None) -> None:
    """Removes what killed processes left of files that they were writing.

    Args:
        folder: one that this program owns and that no other process writes now.
        below: names of the folders in it that are looked through, too; None: all.
    """
    for place, inner, names in os.walk(folder):  # which follows no links
        for name in filter(_LEFTOVER.fullmatch, names):
            (Path(place) / name).unlink(missing_ok=True)
        if below is not None and Path(place) == folder:
            inner[:] = [name for name in inner if name in below]


def _sync_folder(folder: Path) -> None:
    """Makes a rename survive a power loss, where the system can say so."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_bytes(path: Path, content: bytes) -> None:
    """Writes ``content`` to ``path``, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Writes ``content`` to ``path`` as UTF-8, whole or not at all."""
    write_bytes(path, content.encode())


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: same value, same bytes.

    Raises:
        ValueError: ``value`` holds a NaN or an infinity, which JSON can't express.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def load_json(text: str | bytes) -> Any:
    """Reads JSON that came from elsewhere; whatever is not JSON raises a ``ValueError``.

    The standard library also takes NaN and Infinity, turns 1e999 into infinity, and
    answers deep nesting with a ``RecursionError``.
    """

    def finite(literal: str) -> float:
        value = float(literal)
        if not math.isfinite(value):
            raise ValueError(f"{literal} is no finite number")
        return value

    try:
        return json.loads(text, parse_constant=finite, parse_float=finite)
    except RecursionError as error:
        raise ValueError("JSON is nested too deeply") from error


def read_regular(path: Path, most: int) -> bytes:
    """Reads a file that somebody else may have put there.

    Args:
        path: the file.
        most: how many bytes it may hold.

    Raises:
        ValueError: it is a pipe, a link or a device (reading could wait for ever), or too large.
        OSError: it can't be read.
    """
    with _open_unlinked(path, most) as stream:
        return stream.read(most)


def copy_regular(source: Path, target: Path, most: int | None, sha256: str | None = None) -> None:
    """Copies a file that somebody else may have put there, and may change meanwhile.

    Args:
        source: the file.
        target: where to; appears whole or not at all.
        most: how many bytes it may hold; None: any.
        sha256: what its bytes must hash to; None: anything.

    Raises:
        ValueError: as ``read_regular``; or it can't be read, grew, or its bytes are others.
        OSError: the copy can't be written.
    """
    hashed = hashlib.sha256()
    with atomic_path(target) as temporary:
        with temporary.open("wb") as written:
            for block in _blocks(source, most):
                hashed.update(block)
                written.write(block)
        if sha256 is not None and hashed.hexdigest() != sha256:
            raise ValueError(f"{source.name} is not the file that its reply names (SHA-256)")


def link_or_copy(source: Path, target: Path) -> None:
    """Gives a file of this program's own, which is never changed in place, a second name.

    Where the file system has no hard links, or the two lie on different ones, it is copied.
    """
    with atomic_path(target) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


def regular_sha256(path: Path, most: int | None) -> str:
    """SHA-256 in hex of a file that somebody else may have put there; as ``copy_regular``."""
    hashed = hashlib.sha256()
    for block in _blocks(path, most):
        hashed.update(block)
    return hashed.hexdigest()


def _blocks(path: Path, most: int | None) -> Iterator[bytes]:
    """Its bytes; an ``OSError`` of it is a ``ValueError``, never taken for one of a copy."""
    left = most
    try:
        with _open_unlinked(path, most) as stream:
            while block := stream.read(_BLOCK):
                if left is not None and (left := left - len(block)) < 0:
                    raise ValueError(f"{path.name} grew to more than the {most} bytes allowed")
                yield block
    except OSError as error:
        raise ValueError(f"{path.name} can't be read: {error.strerror}") from error


def _open_unlinked(path: Path, most: int | None) -> BufferedReader:
    """Opens a regular file of a bounded size that is no link."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ValueError(f"{path.name} is a link, expected a regular file") from error
        if error.errno == errno.ENXIO:
            raise ValueError(f"{path.name} is not a regular file") from error
        raise
    status = os.fstat(handle)
    fault = None
    if not stat.S_ISREG(status.st_mode):
        fault = "is not a regular file"
    elif most is not None and status.st_size > most:
        fault = f"has {status.st_size} bytes, at most {most} are allowed"
    if fault is not None:
        os.close(handle)
        raise ValueError(f"{path.name} {fault}")
    return os.fdopen(handle, "rb")


def open_regular(path: Path) -> BufferedReader:
    """Opens a file that the user names, which may be a link to one.

    Raises:
        NotRegularError: it is a pipe or a device: reading could wait for ever.
        OSError: it can't be read.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # or open() would wait for a pipe's writer
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotRegularError(errno.EINVAL, "is no regular file", str(path))
    return os.fdopen(handle, "rb")


def read_whole(path: Path) -> bytes:
    """Reads all of a file that the user names.

    Raises:
        OSError: it can't be read, or is a pipe or a device.
    """
    with open_regular(path) as stream:
        return stream.read()


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object from a file that this program wrote.

    Raises:
        WorkdirError: it is missing, damaged, or no object.
    """
    try:
        value = load_json(read_whole(path))
    except FileNotFoundError as error:
        raise WorkdirError(f"{path} is not there") from error
    except OSError as error:
        raise WorkdirError(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise WorkdirError(f"{path} is damaged ({error}); restore it from a copy") from error
    if not isinstance(value, dict):
        raise WorkdirError(f"{path} is not a JSON object; restore it from a copy")
    return value


def write_json(path: Path, value: Any) -> None:
    """Writes ``value`` as indented JSON in the order given; NaN is a ``ValueError``."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex.

    Raises:
        OSError: it can't be read, or is no regular file.
    """
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
