"""An edge's own folder: where its checkpoint lies, and the lock that keeps others out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.files import remove_leftovers
from ecavg_tf.core.locks import lock_folder

CHECKPOINT = "learner.safetensors"  # in an edge's folder


@contextmanager
def locked(folder: Path, flag: str = "--state") -> Iterator[None]:
    """Keeps a second process from the same state while the block runs.

    What a killed process left half-written there is removed.

    Args:
        folder: an edge's own folder; made when missing.
        flag: what the user gives the folder with.

    Raises:
        WorkdirError: another process has it, or the folder can't be written.
    """
    try:
        lock = lock_folder(folder)
    except BlockingIOError as error:
        raise WorkdirError(
            f"{folder} is in use by another process; stop it, or give this one another {flag}"
        ) from error
    except OSError as error:
        raise WorkdirError(
            f"{error.filename or folder}: {error.strerror or error}; give a {flag} folder that "
            "can be written"
        ) from error
    with lock:
        remove_leftovers(folder)
        yield
