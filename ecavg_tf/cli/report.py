"""``ecavg report``."""

from collections.abc import Sequence

from absl import flags

from ecavg_tf.cli.config_flag import parse
from ecavg_tf.core.errors import ConfigError

HELP = """\
ecavg report RUN

Prints the tables of a run directory again.
"""


def main(argv: Sequence[str]) -> int:
    """Parses, loads, prints."""
    if "--help" in argv or "-h" in argv:
        print(HELP, end="")
        return 0
    runs = parse(flags.FlagValues(), argv)
    if len(runs) != 1:
        raise ConfigError(f"give one run directory; {len(runs)} came")

    from ecavg_tf.cli.output import print_tables
    from ecavg_tf.results import load_results

    print_tables(load_results(runs[0]))
    return 0
