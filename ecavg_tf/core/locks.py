"""Locks that keep a second process out of a folder."""

import fcntl
from pathlib import Path
from typing import IO

from ecavg_tf.core.files import LOCK


def lock_folder(folder: Path) -> IO[str]:
    """Locks a folder, which is made when missing, for as long as the returned file is open.

    Raises:
        BlockingIOError: another process has locked it.
        OSError: it can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stream = (folder / LOCK).open("w")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        stream.close()
        raise
    return stream


def is_locked(folder: Path) -> bool:
    """Whether another process has locked a folder; it is not locked for that."""
    try:
        with (folder / LOCK).open("r") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # nobody ever locked it, or it can't be told
        return False
    return False
