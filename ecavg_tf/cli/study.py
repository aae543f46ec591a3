"""``ecavg study``."""

import contextlib
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from ecavg_tf.cli.config_flag import made_by, parse
from ecavg_tf.cli.shipped import shipped_file
from ecavg_tf.config.shipped import shipped
from ecavg_tf.core.commands import interrupted_code
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.paths import user_path
from ecavg_tf.study.plan import Study

if TYPE_CHECKING:
    from ecavg_tf.study.cost import Foreseen

HELP = """\
ecavg study --config=FILE --workdir=DIR [--dry-run]

Compares averaging with its controls, over splits, starts, shares of pooled data and seeds, and
writes study.json, study.csv and study.html with tables and plots. It first says what it will
cost; with --dry-run it only says that. The same command on the same directory goes on with the
cells that are left. FILE is Python with a function get_config() that returns an
ecavg_tf.study.plan.Study, or the name of one that comes with the program:
{studies}

Arms:
{arms}
"""


def main(argv: Sequence[str]) -> int:
    """Parses, says the cost, runs."""
    if "--help" in argv or "-h" in argv:
        print(_help(), end="")
        return 0
    values = flags.FlagValues()
    config = flags.DEFINE_string("config", None, "the study's file", flag_values=values)
    workdir = flags.DEFINE_string("workdir", None, "the study's directory", flag_values=values)
    dry = flags.DEFINE_bool("dry-run", False, "only say the cost", flag_values=values)
    extra = parse(values, argv)
    if extra:
        raise ConfigError(f"{extra[0]!r} is no flag; write --config=FILE --workdir=DIR")
    if not config.value or not workdir.value:
        raise ConfigError(
            "say which study and where it goes: --config=digits --workdir=runs/study-digits"
        )
    study = made_by(str(_file(config.value)), (), Study)
    return _run(argv, study, user_path(workdir.value), dry_run=dry.value)


def _help() -> str:
    from ecavg_tf.cli.shipped import first_line
    from ecavg_tf.quiet import import_tensorflow

    import_tensorflow()
    from ecavg_tf.study.arms import ARMS

    return HELP.format(
        studies="\n".join(f"  {n:22s}{first_line(f)}" for n, f in shipped("studies").items()),
        arms="\n".join(f"  {name:17s}{arm.says}" for name, arm in ARMS.items()),
    )


def _file(given: str) -> Path:
    """The study's file: a path, or the name of one that comes with the program."""
    file = user_path(given)
    if not file.is_file() and given.isidentifier():
        return shipped_file(given, "studies")
    if not file.is_file():
        raise ConfigError(f"the study {given!r} is not there; expected a Python file")
    if "def get_config" not in file.read_text(encoding="utf-8", errors="replace"):
        raise ConfigError(
            f"{file} is not a study: it needs a function get_config() that returns a Study"
        )
    return file


def _run(argv: Sequence[str], study: Study, folder: Path, *, dry_run: bool) -> int:
    from ecavg_tf.plugins import find_users_modules
    from ecavg_tf.quiet import import_tensorflow

    import_tensorflow(study.task.model.name, None)
    find_users_modules()
    from ecavg_tf.study.cost import foreseen
    from ecavg_tf.study.page import write_page
    from ecavg_tf.study.runner import left, planned, run_study, written

    cells = planned(study)
    todo = left(cells, folder)
    print(f"{study.title}: {len(cells)} cells, {len(cells) - len(todo)} of them done.")
    if todo:
        _print_cost(foreseen(study, todo, folder))
    if dry_run:
        return 0
    try:
        results = run_study(study, folder, tell=lambda line: print(line, flush=True))
    except KeyboardInterrupt as error:
        again = shlex.join(["ecavg", "study", *argv])
        write_page(written(study, cells, folder), folder)
        with contextlib.suppress(OSError):  # SIGHUP: the terminal may be closed
            print(f"\ninterrupted; finished cells are kept. To go on:\n  {again}", file=sys.stderr)
        return interrupted_code(error)
    write_page(results, folder)
    print(f"Everything is in {folder}; {folder / 'study.html'} shows it as a page.")
    return 0


def _print_cost(lines: "Sequence[Foreseen]") -> None:
    """What the cells that are left will cost."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table("arm", box=box.SIMPLE)
    for column in ("cells", "trained on", "predicted", "CPU seconds"):
        table.add_column(column, justify="right")
    for line in lines:
        counts = (f"{count:,}" for count in (line.cells, line.trained, line.predicted))
        table.add_row(line.arm, *counts, f"{line.seconds:,.0f}")
    console = Console()
    console.print(table)
    hours = sum(line.seconds for line in lines) / 3600
    console.print(
        f"Together about {hours:.2f} CPU hours, foreseen from a fit and a prediction that were "
        "timed just now; starting models and the servers' probes come on top."
    )
