"""Looks at single files of a mailbox, which another side may have put there."""

import time
from json import JSONDecodeError
from pathlib import Path

from ecavg_tf.core.fields import Fields
from ecavg_tf.core.files import canonical_json, load_json, read_regular
from ecavg_tf.core.messages.request import Request, metadata_of
from ecavg_tf.core.messages.update_file import TensorFile

LARGEST_REPLY = 2**20  # bytes of its JSON: whatever it holds may be kept in the run directory
COPYING_S = 60.0  # what is not whole and did not change for so long is not copied any more
FileState = tuple[int, int, int]
_KNOWN_LATER = ("training_file", "inputs", "signed")


def loaded(reply: Path) -> Fields:
    """A reply as its fields.

    Raises:
        OSError: it can't be read.
        ValueError: it is no JSON object, or too large for a reply.
    """
    # Of bytes with zeros among them, json would guess that they are UTF-32.
    return Fields.of(load_json(read_regular(reply, LARGEST_REPLY).decode()))


def is_error(reply: Path) -> bool:
    """Whether a reply says why there is none."""
    try:
        return loaded(reply).get("error") is not None
    except (OSError, ValueError):
        return False


def is_cut(reply: Path) -> bool:
    """Whether a reply lies there that is not whole."""
    try:
        loaded(reply)
    except JSONDecodeError:
        return True
    except (OSError, ValueError):
        return False
    return False


class Growing:
    """Files that were not whole when somebody looked."""

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[FileState, float]] = {}

    def may_grow(self, path: Path) -> bool:
        """Whether a file that is not whole may still be copied; asked again and again."""
        try:
            state = state_of(path)
        except FileNotFoundError:
            return True
        if path not in self._seen or self._seen[path][0] != state:
            self._seen[path] = state, time.monotonic()
        return time.monotonic() - self._seen[path][1] < COPYING_S


def state_of(path: Path) -> FileState:
    """What changes when a file does.

    Raises:
        FileNotFoundError: there is none.
    """
    found = path.lstat()
    return found.st_size, found.st_mtime_ns, found.st_ino


def size(path: Path) -> int:
    """Bytes of a file; 0: it is not there, or not to be looked at."""
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def tells(path: Path, request: Request) -> bool:
    """Whether a request that lies there tells what this one does, which may be known only now."""
    try:
        told = TensorFile(path).metadata
    except ValueError:
        return False
    said = ([each.get(key) for key in _KNOWN_LATER] for each in (told, metadata_of(request)))
    return canonical_json(next(said)) == canonical_json(next(said))
