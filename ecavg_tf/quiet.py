"""TensorFlow's start-up noise is not what a user sees."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


def import_tensorflow() -> None:
    """Imports TensorFlow without the lines its C++ side prints on the way.

    ``TF_CPP_MIN_LOG_LEVEL`` alone does not help: what is logged before the logger is
    set up goes to file descriptor 2 whatever the level. What was printed comes out
    after all if the import fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with held_back_stderr():
        import tensorflow as tf

        tf.config.list_physical_devices()


@contextlib.contextmanager
def held_back_stderr(*, told_on_failure: bool = True) -> Iterator[None]:
    """Keeps what C++ writes to file descriptor 2 from the user.

    Args:
        told_on_failure: whether it comes out after all when the block raises.
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
