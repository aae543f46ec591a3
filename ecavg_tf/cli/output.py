"""Printing a run's tables."""

import shutil
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from ecavg_tf.core.exports import Exported
from ecavg_tf.report.compare import comparison
from ecavg_tf.report.exports import FULL, exports_table, fitting, legend, notes
from ecavg_tf.report.plain import plain
from ecavg_tf.report.tables import outcome, tables
from ecavg_tf.results import RunResults


def print_tables(results: RunResults, *, brief: bool = False) -> None:
    """Prints a run's tables.

    Args:
        results: of the run.
        brief: only who gained and who lost.
    """
    _console().print(outcome(results) if brief else tables(results))


def print_comparison(runs: Sequence[tuple[str, RunResults]]) -> None:
    """Prints several runs side by side."""
    _console().print(comparison(runs))


def print_exports(exports: Sequence[Exported]) -> None:
    """Prints a row a file, then calibrations, Keras' own times, and what went wrong."""
    console = _console()
    columns = fitting(exports, console)
    console.print(exports_table(exports, columns))
    console.print(Text(legend(columns), style="dim"))
    left_out = [name for name in FULL if name not in columns]
    if left_out:
        console.print(Text(f"a wider terminal also shows: {'; '.join(left_out)}", style="dim"))
    for said in notes(exports):
        console.print(plain(said))


def _console() -> Console:
    """A pipe gets tables wide enough not to be folded, unless COLUMNS says how wide it is."""
    width = None if sys.stdout.isatty() else shutil.get_terminal_size((140, 24)).columns
    return Console(width=width)
