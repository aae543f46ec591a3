"""The command that repeats a run, from the config and the environment that it kept."""

import runpy
import shlex
from collections.abc import Mapping
from functools import cache
from typing import Any

from ecavg_tf.config import Config
from ecavg_tf.config.fields import flatten, flatten_dict
from ecavg_tf.config.shipped import shipped
from ecavg_tf.results import RunResults

WORKDIR = "runs/again"


def command(results: RunResults) -> str:
    """A line for a shell: a config that comes with the program, and what differs from it.

    The config file of the run itself may have changed since, or lie nowhere any more.
    """
    # A run of an older version lacks fields that have come since: they had their defaults.
    wanted = dict(flatten(Config())) | flatten_dict(dict(results.config))
    apart = {name: _differences(wanted, known) for name, known in _configs().items()}
    nearest = min(apart, key=lambda name: (len(apart[name]), name))
    words = ["ecavg", "run", f"--config={nearest}", f"--workdir={WORKDIR}"]
    words += [f"--config.{field}={_written(value)}" for field, value in apart[nearest].items()]
    return " ".join(map(shlex.quote, words))


def conditions(results: RunResults) -> str:
    """What else the same bits need, in a sentence."""
    environment = results.environment
    packages = environment.get("packages")
    versions = packages if isinstance(packages, Mapping) else {}
    named = [f"{name} {version}" for name, version in versions.items() if version]
    told = [f"Python {environment.get('python')}", *named, f"{environment.get('cpus')} CPUs"]
    variables = environment.get("variables")
    given = variables if isinstance(variables, Mapping) else {}
    set_ = [f"{name}={value}" for name, value in given.items() if value is not None]
    settings = f", with {' '.join(set_)} set" if set_ else ""
    return f"The same weights, to the bit, need {', '.join(told)}{settings}."


@cache
def _configs() -> dict[str, dict[str, Any]]:
    """The configs that come with the program, fields by dotted names."""
    return {
        name: dict(flatten(runpy.run_path(str(file))["get_config"]()))
        for name, file in shipped().items()
    }


def _differences(wanted: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if known.get(name) != value}


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
