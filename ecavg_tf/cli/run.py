"""``ecavg run``."""

import argparse
import contextlib
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from absl import flags

from ecavg_tf.cli.config_flag import parse_config
from ecavg_tf.cli.help import fields_help
from ecavg_tf.config import Config, FleetKind
from ecavg_tf.core.commands import interrupted_code
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.exports import Exported
from ecavg_tf.core.paths import user_path
from ecavg_tf.events import Listener

Carry = Callable[[Path, Listener], None]

HELP = """\
ecavg run --config=FILE --workdir=DIR [--config.FIELD=VALUE …]

Runs training rounds; the same command on the same directory resumes after the last
finished round. There --config may be left out, and more --config.rounds go on with a run that
is over. FILE is Python with a function get_config() that returns ecavg_tf.Config.
--quiet prints warnings and the outcome only, --verbose a line for all that log.txt gets.

Fields, with their defaults:
{fields}
"""


def main(argv: Sequence[str]) -> int:
    """Parses, runs, prints the tables."""
    if "--help" in argv or "-h" in argv:
        print(HELP.format(fields=fields_help()), end="")
        return 0
    told = _told(argv)
    config = told.config
    if config.fleet.kind is FleetKind.FLOWER:
        from ecavg_tf.cli.submit import submit

        return submit(argv, user_path(config.fleet.server).resolve())
    return _play(argv, told)


def carried(argv: Sequence[str], carry: Carry) -> int:
    """Plays a run inside Flower, whose letters ``carry`` brings to the edges.

    Args:
        argv: the arguments of ``ecavg run``.
        carry: starts a courier on an exchange folder, beside the run.

    Raises:
        ECAvgError: as ``run``.
    """
    told = _told(argv)
    config, folder = told.config, told.folder
    config.fleet.kind = FleetKind.FLOWER
    config.fleet.folder = str(folder / "exchange")
    from ecavg_tf.rounds.fleets import carried as carrying

    with carrying():
        return _play(argv, told, carry)


@dataclass(frozen=True)
class _Told:
    """What the command line says."""

    config: Config
    folder: Path
    quiet: bool
    verbose: bool


def _told(argv: Sequence[str]) -> _Told:
    values = flags.FlagValues()
    workdir = flags.DEFINE_string("workdir", None, "the run directory", flag_values=values)
    quiet = flags.DEFINE_bool("quiet", False, "no progress, no tables", flag_values=values)
    verbose = flags.DEFINE_bool("verbose", False, "a line for everything", flag_values=values)
    config = parse_config(values, argv, lambda: _known(argv))
    if not workdir.value:
        raise ConfigError("say where the run goes: --workdir=runs/NAME")
    if quiet.value and verbose.value:
        raise ConfigError("--quiet and --verbose are opposites; give one of them")
    return _Told(config, user_path(workdir.value), quiet.value, verbose.value)


def _play(argv: Sequence[str], told: _Told, carry: Carry | None = None) -> int:
    config, folder = told.config, told.folder
    from ecavg_tf.plugins import find_users_modules
    from ecavg_tf.quiet import import_tensorflow

    import_tensorflow(config.model.name, folder)
    find_users_modules()
    from ecavg_tf.live import listener
    from ecavg_tf.rounds.loop import run
    from export.jobs.run import raise_if_failed

    try:
        with listener(quiet=told.quiet, verbose=told.verbose) as listening:
            if carry is not None:
                carry(user_path(config.fleet.folder), listening)
            results = run(config, folder, listener=listening.__call__)  # which is shown already
    except KeyboardInterrupt as error:
        again = shlex.join(["ecavg", "run", *argv])
        with contextlib.suppress(OSError):  # SIGHUP: the terminal may be closed
            print(f"\ninterrupted; finished rounds are kept. To go on:\n  {again}", file=sys.stderr)
        return interrupted_code(error)
    from ecavg_tf.cli.output import print_tables

    print_tables(results, brief=told.quiet)
    print("\n".join(_what_next(folder, results.exports)))
    raise_if_failed(results.exports, f"'ecavg export {shlex.quote(str(folder))}'")
    return 0


def _what_next(folder: Path, exports: Sequence[Exported]) -> list[str]:
    """Where everything is, and a command that uses a file for devices."""
    lines = [f"Everything is in {folder}; {folder / 'report.html'} shows it as a page."]
    bundles = [row.bundle for row in exports if row.status == "passed" and row.bundle]
    if bundles:
        bundle = folder / "exports" / bundles[-1]
        lines.append(f"To label a file with a model's exported file: ecavg predict {bundle} FILE")
    return lines


def _known(argv: Sequence[str]) -> Config | None:
    """The config that the run directory holds, if it holds one."""
    from ecavg_tf.resuming import stored_config

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--workdir", "-workdir", default="")
    folder = parser.parse_known_args(argv)[0].workdir
    if not folder or not (user_path(folder) / "config.json").exists():
        return None
    return stored_config(user_path(folder))
