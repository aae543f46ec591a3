"""``--config=FILE`` and ``--config.a.b=value``: ml_collections' flags, with plain errors."""

import argparse
import contextlib
import re
import runpy
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from absl import flags
from ml_collections import config_flags

from ecavg_tf.cli.shipped import shipped_file
from ecavg_tf.config import Config
from ecavg_tf.config.checks import check_field, guess, validated
from ecavg_tf.config.fields import flatten
from ecavg_tf.core.commands import hyphened
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.paths import user_path

_PLAIN = {  # what Python says of a word that is no number
    "invalid literal for int() with base 10:": "expected a whole number, got",
    "could not convert string to float:": "expected a number, got",
}
_ALONE = threading.RLock()  # runpy puts things into sys.argv and sys.modules, and back
_Made = TypeVar("_Made")
_OVERRIDE = re.compile(r"--?(?:no)?config\.([^=]+)(=.*)?")


def parse(values: flags.FlagValues, argv: Sequence[str]) -> list[str]:
    """Parses flags; what absl would answer with a traceback becomes one line.

    Args:
        values: where the command's flags are defined.
        argv: the command's arguments.

    Returns:
        The positional arguments.

    Raises:
        ConfigError: a flag is unknown or its value is wrong.
    """
    with _plain_errors():
        try:
            rest: list[str] = values(["ecavg", *hyphened(argv)])[1:]
        except flags.UnrecognizedFlagError as error:
            raise ConfigError(_unknown(error, values)) from error
    return rest


def _unknown(error: flags.UnrecognizedFlagError, values: flags.FlagValues) -> str:
    """What to write instead: a config field that ends in that word, or a flag like it."""
    name, value = error.flagname, f"={str(error.flagvalue).partition('=')[2] or 'VALUE'}"
    meant = [field for field, _ in flatten(Config()) if name in (field, field.rpartition(".")[2])]
    if meant and "config" in values:
        written = " or ".join(f"--config.{field}{value}" for field in meant)
        return f"there is no flag --{name}; the config field is written {written}"
    known = [flag for flag in values if "." not in flag and len(flag) > 1]
    return f"there is no flag --{name}{guess(f'--{name}', [f'--{flag}' for flag in known])}"


def parse_config(
    values: flags.FlagValues, argv: Sequence[str], known: Callable[[], Config | None] | None = None
) -> Config:
    """Parses flags, among them ``--config`` and its overrides, in any order.

    Args:
        values: where the command's other flags are defined.
        argv: the command's arguments.
        known: gives the config to begin with where no ``--config`` is given; None, or if it
            gives None: a ``--config`` is needed.

    Raises:
        ConfigError: a flag, the config file or a field is wrong.
    """
    from ecavg_tf.rounds.registries import check_names

    given, rest = _config_apart(argv)
    config = known() if known is not None and not given else None
    if config is None:
        name, arguments = _located(_only(given))
        _check_file(name)
    for argument in rest:
        if match := _OVERRIDE.fullmatch(argument):
            check_field(match[1])
    with _plain_errors():
        holder = config_flags.DEFINE_config_dataclass(
            "config",
            made_by(name, arguments, Config) if config is None else config,
            flag_values=values,
            sys_argv=["ecavg", *rest],
        )
    extra = parse(values, rest)
    if extra:
        raise ConfigError(f"{extra[0]!r} is no flag; write --config.field=value")
    made: Config = holder.value
    check_names(validated(made))
    return made


def _config_apart(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Takes ``--config`` out of the arguments."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", "-config", action="append", nargs="?", const="", default=[])
    given, rest = parser.parse_known_args(argv)
    return given.config, rest


def _only(found: Sequence[str]) -> str:
    if len(found) != 1 or not found[0]:
        raise ConfigError(
            "give one config, for example --config=digits ('ecavg configs' lists those that come "
            "with the program) or --config=FILE"
            + (f"; {len(found)} came" if len(found) > 1 else "")
        )
    return found[0]


def _located(given: str) -> tuple[str, list[str]]:
    """The file, and what comes behind a colon, if anything: the longest path of a file wins.

    A bare name that is no file is one of the configs that come with the program.
    """
    parts = given.split(":")
    for count in range(len(parts), 0, -1):
        file = user_path(":".join(parts[:count]))
        if file.is_file():
            break
    else:
        file, count = user_path(parts[0]), 1
        if parts[0].isidentifier():
            file = shipped_file(parts[0])
    rest = ":".join(parts[count:])
    return str(file), [rest] if count < len(parts) else []


def _check_file(path: str) -> None:
    file = Path(path)
    if not file.is_file():
        raise ConfigError(
            f"config file {str(file)!r} is not there; 'ecavg configs' lists those that come with "
            "the program"
        )
    if "def get_config" not in file.read_text(encoding="utf-8", errors="replace"):
        raise ConfigError(
            f"{file} is not a config: it needs a function get_config() that returns a Config"
        )


def made_by(name: str, arguments: Sequence[str], kind: type[_Made]) -> _Made:
    """Runs a config file, once; ml_collections would hide where and why it fails.

    Args:
        name: of the file.
        arguments: for its ``get_config``.
        kind: what that must return.

    Raises:
        ConfigError: it fails, or returns something else.
    """
    try:
        with _ALONE:
            config = runpy.run_path(name)["get_config"](*arguments)
    except Exception as error:  # whatever the user's file raises
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame.lineno for frame in frames if frame.filename == name]
        number = error.lineno if isinstance(error, SyntaxError) else (own or [None])[-1]
        raise ConfigError(
            f"config file {name} fails in line {number}: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(config, kind):
        expected = f"{kind.__module__.partition('.config.')[0]}.{kind.__name__}"
        raise ConfigError(
            f"get_config() of {name} returned {type(config).__name__}, expected {expected}"
        )
    return config


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """Absl's message on a value says ``flag --config.a.b=x: reason``; keep it, on one line."""
    try:
        yield
    except flags.Error as error:
        said = " ".join(str(error).split())
        for python, plain in _PLAIN.items():
            said = said.replace(python, plain)
        raise ConfigError(said) from error
