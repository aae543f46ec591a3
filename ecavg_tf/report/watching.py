"""``ecavg report --watch``: the page of a run that goes on, written anew as there is news."""

import contextlib
import time
from pathlib import Path

from ecavg_tf.core.errors import WorkdirError, printable
from ecavg_tf.core.files import open_regular
from ecavg_tf.core.locks import is_locked
from ecavg_tf.epochs import FILE as EPOCHS
from ecavg_tf.report.page import Live, write_page
from ecavg_tf.results import RunResults, load_results

EVERY_S = 5.0
_NEWS = ("results.json", EPOCHS, "log.txt")
_TAIL = 500  # bytes of the log that are looked at


def watch(folder: Path, every_s: float = EVERY_S) -> RunResults | None:
    """Writes the page of a run again and again, and a last time when the run is over.

    Args:
        folder: the run directory.
        every_s: seconds from one look to the next; the page in a browser renews itself as often.

    Returns:
        The results at the end; None: the run ended before it had any.

    Raises:
        WorkdirError: the folder holds no run, or damaged results.
        KeyboardInterrupt: passed on, once the page has stopped renewing itself.
    """
    check_run(folder)
    seen: object = None
    try:
        while is_locked(folder):
            state = _state(folder)
            if state != seen and (folder / "results.json").exists():
                write_page(load_results(folder), folder, Live(every_s, last_line(folder)))
                seen = state
            time.sleep(every_s)
    finally:
        results = None
        if (folder / "results.json").exists():
            results = load_results(folder)
            write_page(results, folder)
    return results


def check_run(folder: Path) -> None:
    """Refuses a folder in which no run ever began.

    Raises:
        WorkdirError: says so.
    """
    if not (folder / "config.json").exists() and not is_locked(folder):
        raise WorkdirError(
            f"{folder} holds no run that could be watched; start 'ecavg run' with "
            f"--workdir={folder} first, or mend its name"
        )


def last_line(folder: Path) -> str:
    """The last line of a run's log; empty: there is none."""
    with contextlib.suppress(OSError), open_regular(folder / "log.txt") as log:
        log.seek(max(0, log.seek(0, 2) - _TAIL))
        lines = log.read().decode(errors="replace").splitlines()
        return printable(lines[-1]) if lines else ""
    return ""


def _state(folder: Path) -> object:
    """Changes when a run has written something that the page tells."""
    found = []
    for name in _NEWS:
        with contextlib.suppress(OSError):
            status = (folder / name).stat()
            found.append((name, status.st_mtime_ns, status.st_size))
    return found
