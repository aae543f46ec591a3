"""Printing a run's tables."""

import shutil
import sys

from rich.console import Console

from ecavg_tf.report import tables
from ecavg_tf.results import RunResults


def print_tables(results: RunResults) -> None:
    """Prints the tables; a pipe gets them wide enough not to be folded."""
    width = None if sys.stdout.isatty() else max(120, shutil.get_terminal_size().columns)
    Console(width=width).print(tables(results))
