"""The page that a run ends with, drawn also where its process was killed before that."""

from pathlib import Path

from ecavg_tf.core.errors import disk_errors, full_disk
from ecavg_tf.events import Listener, Note
from ecavg_tf.results import RunResults
from ecavg_tf.rundir import RunDirectory


def complete_page(directory: RunDirectory, done: RunResults, listener: Listener) -> None:
    """Draws the page of a finished run, if its process was killed before that."""
    from ecavg_tf.report.page import is_written  # pages need jinja, and a run ends with one

    if is_written(done, directory.path):
        return
    with disk_errors(directory.path):
        try:
            directory.open()
            draw_page(done, directory.path, listener)
        finally:
            directory.close()


def draw_page(results: RunResults, folder: Path, listener: Listener) -> None:
    """Writes the page; whatever is wrong with it, the run's own outcome comes first."""
    from ecavg_tf.report import page

    try:
        page.write_page(results, folder)
    except Exception as error:  # results.json is whole, and 'ecavg report' draws it again
        if full_disk(error) is not None:
            raise
        listener(Note(f"report.html could not be written: {type(error).__name__}: {error}"))
