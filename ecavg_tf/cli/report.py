"""``ecavg report``."""

from collections.abc import Sequence

from absl import flags

from ecavg_tf.cli.config_flag import parse
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.paths import user_path

HELP = """\
ecavg report RUN
ecavg report --watch RUN
ecavg report RUN_A RUN_B …

Prints the tables of a run directory again and renews its report.html and plots, or
prints several runs side by side. With --watch it renews report.html every few seconds while
the run goes on (a browser that shows the page follows), until the run ends or Ctrl-C.
"""


def main(argv: Sequence[str]) -> int:
    """Parses, loads, prints."""
    if "--help" in argv or "-h" in argv:
        print(HELP, end="")
        return 0
    values = flags.FlagValues()
    watched = flags.DEFINE_bool("watch", False, "follow a run that goes on", flag_values=values)
    runs = [str(user_path(run)) for run in parse(values, argv)]
    if not runs:
        raise ConfigError("give one run directory, or several to compare; none came")
    if watched.value:
        return _watch(runs)

    from ecavg_tf.cli.output import print_comparison, print_tables
    from ecavg_tf.report.showing import showing
    from ecavg_tf.results import load_results

    results = [load_results(run) for run in runs]
    with showing(runs[0] if len(runs) == 1 else "one of these runs"):
        if len(runs) > 1:
            print_comparison(list(zip(runs, results, strict=True)))
            return 0
        print_tables(results[0])
        _renew_page(runs[0])
    return 0


def _watch(runs: Sequence[str]) -> int:
    from pathlib import Path

    from ecavg_tf.cli.output import print_tables
    from ecavg_tf.core.errors import disk_errors
    from ecavg_tf.report.showing import showing
    from ecavg_tf.report.watching import EVERY_S, check_run, watch

    if len(runs) > 1:
        raise ConfigError(f"--watch follows one run, {len(runs)} came")
    folder = Path(runs[0])
    page = folder / "report.html"
    check_run(folder)
    print(f"{page} follows the run: renewed every {EVERY_S:g} s, Ctrl-C ends it.", flush=True)
    try:
        with showing(folder), disk_errors(folder):
            results = watch(folder)
            if results is not None:
                print_tables(results, brief=True)
    except KeyboardInterrupt:
        print(f"\n{page} shows the run as it is now, and renews itself no more.")
        return 0
    print(f"The run is over; {page} is its last state.")
    return 0


def _renew_page(run: str) -> None:
    from pathlib import Path

    from ecavg_tf.core.errors import disk_errors
    from ecavg_tf.report.page import write_page
    from ecavg_tf.results import load_results

    folder = Path(run) if Path(run).is_dir() else Path(run).parent
    with disk_errors(folder):
        write_page(load_results(run), folder)
    print(f"{folder / 'report.html'} is renewed.")
