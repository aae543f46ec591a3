"""``--config=FILE`` and ``--config.a.b=value``: ml_collections' flags, with plain errors."""

import re
import runpy
import traceback
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from ecavg_tf.config import Config
from ecavg_tf.config.checks import guess, validated
from ecavg_tf.config.fields import flatten
from ecavg_tf.core.errors import ConfigError

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
    try:
        rest: list[str] = values(["ecavg", *argv])[1:]
    except flags.Error as error:
        raise ConfigError(_one_line(str(error))) from error
    return rest


def parse_config(values: flags.FlagValues, argv: Sequence[str]) -> Config:
    """Parses flags, among them ``--config`` and its overrides, in any order.

    Args:
        values: where the command's other flags are defined.
        argv: the command's arguments.

    Raises:
        ConfigError: a flag, the config file or a field is wrong.
    """
    first, rest = _config_first(argv)
    _check_file(first)
    _check_fields(rest)
    _try_out(first)
    ordered = [f"--config={first}", *rest]
    config_flags.DEFINE_config_file(
        "config", None, "path of a config file", flag_values=values, sys_argv=["ecavg", *ordered]
    )
    extra = parse(values, ordered)
    if extra:
        raise ConfigError(f"{extra[0]!r} is no flag; write --config.field=value")
    config = values["config"].value
    assert isinstance(config, Config)
    return validated(config)


def _config_first(argv: Sequence[str]) -> tuple[str, list[str]]:
    """Takes ``--config`` out of the arguments: ml_collections wants it before overrides."""
    found: list[str] = []
    rest: list[str] = []
    arguments = iter(argv)
    for argument in arguments:
        if re.fullmatch(r"--?config", argument):
            found.append(next(arguments, ""))
        elif re.match(r"--?config=", argument):
            found.append(argument.split("=", 1)[1])
        else:
            rest.append(argument)
    if len(found) != 1 or not found[0]:
        raise ConfigError(
            "give one config file, for example --config=configs/digits.py"
            + (f"; {len(found)} came" if len(found) > 1 else "")
        )
    return found[0], rest


def _check_file(path: str) -> None:
    file = Path(path.split(":", 1)[0])
    if not file.is_file():
        raise ConfigError(f"config file {str(file)!r} is not there; see configs/ for examples")
    if "def get_config" not in file.read_text(encoding="utf-8", errors="replace"):
        raise ConfigError(
            f"{file} is not a config: it needs a function get_config() that returns a Config"
        )


def _try_out(path: str) -> None:
    """Runs a config file before ml_collections does, which hides where and why it fails."""
    name, *arguments = path.split(":", 1)
    try:
        config = runpy.run_path(name)["get_config"](*arguments)
    except Exception as error:  # whatever the user's file raises
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame.lineno for frame in frames if frame.filename == name]
        number = error.lineno if isinstance(error, SyntaxError) else (own or [None])[-1]
        raise ConfigError(
            f"config file {name} fails in line {number}: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(config, Config):
        raise ConfigError(
            f"get_config() of {name} returned {type(config).__name__}, expected ecavg_tf.Config"
        )


def _check_fields(argv: Sequence[str]) -> None:
    names = [name for name, _ in flatten(Config())]
    for argument in argv:
        match = _OVERRIDE.fullmatch(argument)
        if match and match[1] not in names:
            group = [name for name in names if name.startswith(match[1].split(".")[0] + ".")]
            raise ConfigError(
                f"no config field {match[1]!r}{guess(match[1], names)}; valid: "
                + ", ".join(group or names)
            )


def _one_line(text: str) -> str:
    """Absl's message on a value says ``flag --config.a.b=x: reason``; keep it, on one line."""
    return " ".join(text.split())
