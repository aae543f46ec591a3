"""``ecavg edge``: edges of a run whose server is elsewhere."""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from ecavg_tf.cli.config_flag import parse_config
from ecavg_tf.core.commands import interrupted_code
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.paths import user_path

HELP = """\
ecavg edge --config=FILE --config.fleet.folder=DIR --edge=edge-00[,edge-01] --workdir=DIR

Serves the named edges: waits in the exchange folder for the requests of
'ecavg run --config.fleet.kind=folder --config.fleet.folder=DIR', trains, answers, and
ends with the run. Give it the config that the server has. Stopped and started again on
the same --workdir it goes on where it was.
"""


def main(argv: Sequence[str]) -> int:
    """Parses, serves."""
    if "--help" in argv or "-h" in argv:
        print(HELP, end="")
        return 0
    values = flags.FlagValues()
    edges = flags.DEFINE_list("edge", None, "names of the edges to serve", flag_values=values)
    workdir = flags.DEFINE_string("workdir", None, "the edges' own files", flag_values=values)
    config = parse_config(values, argv)
    if not (edges.value and workdir.value and config.fleet.folder):
        raise ConfigError("--edge, --workdir and --config.fleet.folder are needed")

    home = user_path(workdir.value)
    _check_took_part(user_path(config.fleet.folder), edges.value, home)
    from ecavg_tf.plugins import find_users_modules
    from ecavg_tf.quiet import import_tensorflow

    import_tensorflow()
    find_users_modules()
    from ecavg_tf.cli.progress import listener
    from ecavg_tf.rounds.serving import serve_edges

    try:
        with listener() as listening:
            serve_edges(config, edges.value, home, listener=listening)
    except KeyboardInterrupt as error:
        with contextlib.suppress(OSError):  # SIGHUP: the terminal may be closed
            print("\ninterrupted; the same command goes on.", file=sys.stderr)
        return interrupted_code(error)
    return 0


def _check_took_part(exchange: Path, edges: Sequence[str], workdir: Path) -> None:
    """A run that is over needs no edges; a mistyped folder must not look like such a run."""
    from ecavg_tf.core.messages.mailbox import Mailbox
    from edge.participating.serving import check_took_part

    for edge in edges:
        if all((exchange / edge / box).is_dir() for box in ("inbox", "outbox")):
            check_took_part(Mailbox(exchange / edge), workdir / edge, "--workdir")
