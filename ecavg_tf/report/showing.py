"""Drawing results that a file tells of, which may be damaged in ways that no reader checks."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ecavg_tf.core.errors import ECAvgError, WorkdirError, brief


@contextlib.contextmanager
def showing(run: str | Path) -> Iterator[None]:
    """Draws the results of a run in the block; what can't be drawn is one line.

    A config, evidence and times are plain JSON in results.json, and every table and picture takes
    other parts of them.

    Args:
        run: the run directory, or its results.json.

    Raises:
        WorkdirError: the results are not what a run writes.
    """
    try:
        yield
    except (ECAvgError, OSError):  # of where it is written to
        raise
    except Exception as error:
        raise WorkdirError(
            f"{run} holds results that can't be shown ({type(error).__name__}: {brief(error)}); "
            "restore results.json from a copy, or run 'ecavg run' on that directory, which writes "
            "it anew"
        ) from error
