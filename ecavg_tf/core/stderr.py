"""Keeps what C++ libraries print from the user."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def held_back_stderr(*, told_on_failure: bool = True) -> Iterator[None]:
    """Keeps what C++ writes to file descriptor 2 from the user.

    Args:
        told_on_failure: whether it is printed after all when the block raises.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as noise:
        os.dup2(noise.fileno(), 2)
        try:
            yield
        except BaseException:
            if told_on_failure:
                noise.seek(0)
                os.write(kept, noise.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
