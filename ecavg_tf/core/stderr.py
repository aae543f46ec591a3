"""Hides from the user what C++ libraries print to stderr."""

import contextlib
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator

from ecavg_tf.core.streams import keep_descriptors

# The process has one standard error: threads that swap it at once would lose it.
_SWAPPING = threading.RLock()


@contextlib.contextmanager
def held_back_stderr(*, told_on_failure: bool = True) -> Iterator[None]:
    """Keeps what C++ writes to file descriptor 2 from the user; one thread at a time.

    Args:
        told_on_failure: whether it is printed after all when the block raises.
    """
    with _SWAPPING:
        keep_descriptors()
        if sys.stderr is not None and not sys.stderr.closed:
            with contextlib.suppress(OSError):  # it may be full
                sys.stderr.flush()
        kept = os.dup(2)
        with tempfile.TemporaryFile() as noise:
            os.dup2(noise.fileno(), 2)
            try:
                yield
            except BaseException:
                if told_on_failure:
                    noise.seek(0)
                    with contextlib.suppress(OSError):
                        os.write(kept, noise.read())
                raise
            finally:
                os.dup2(kept, 2)
                os.close(kept)


def without_retracing_warnings() -> None:
    """Exports trace a net for each of their measurements, which TensorFlow warns of."""
    logging.getLogger("tensorflow").addFilter(_of_use)  # which it takes once


def _of_use(record: logging.LogRecord) -> bool:
    return "tf.function retracing" not in str(record.msg)
