"""Checking a config once, with an answer that says how to mend it."""

import dataclasses
import difflib
import enum
import math
from typing import Any

from ecavg_tf.config import Config, FleetKind
from ecavg_tf.config.fields import flatten
from ecavg_tf.core.errors import ConfigError

APPLICATIONS = ("mobilenet_v2", "resnet50")
MODEL_INITS = ("shared", "independent", "imagenet", "PATH.keras")
PLUGIN = "pkg.module:function"
UPDATE_POLICIES = ("guarded", "replace", PLUGIN)
COMBINES = ("average", "start", PLUGIN)

_AT_LEAST = {
    "seed": 0,
    "rounds": 1,
    "edges_per_round": 0,
    "data.train_examples": 0,
    "data.test_examples": 0,
    "data.image_size": 0,
    "partition.shards_per_edge": 1,
    "partition.min_examples": 1,
    "server.pool_bytes": 0,
    "edge.weight_decay": 0,
    "server.weight_decay": 0,
    "partition.num_edges": 1,
    "model.hidden_units": 1,
    "edge.epochs": 1,
    "edge.batch_size": 1,
    "server.epochs": 0,
    "server.batch_size": 1,
    "export.calibration_examples": 1,
    "export.parity_examples": 0,
    "export.max_difference": 0,
    "export.max_difference_float16": 0,
    "export.max_mean_difference_dynamic": 0,
    "export.max_mean_difference_int8": 0,
}
_ABOVE_ZERO = (
    "edge.learning_rate",
    "server.learning_rate",
    "fleet.timeout_s",
    "partition.alpha",
    "export.latency_s",
)
_SHARES = (
    "export.min_agreement_float",
    "export.min_agreement_dynamic",
    "export.min_agreement_int8",
    "export.max_ties",
    "export.max_accuracy_loss",
)
EXPORT_FORMATS = ("float32", "float16", "dynamic", "int8")


def validated(config: Config) -> Config:
    """Checks every field and returns the config.

    Raises:
        ConfigError: the first field that is wrong, what came and what was expected.
    """
    _take_words(config, Config())
    _check_types(config, Config())
    flat = dict(flatten(config))
    for name, lowest in _AT_LEAST.items():
        if not flat[name] >= lowest:
            raise ConfigError(f"{name} is {flat[name]}; it must be at least {lowest}")
    for name in _ABOVE_ZERO:
        if not (math.isfinite(flat[name]) and flat[name] > 0):
            raise ConfigError(f"{name} is {flat[name]}; it must be a number above 0")
    for name, value in flat.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{name} is {value}; it must be a finite number")
    if not 0 <= config.partition.guard_fraction < 1:
        raise ConfigError(
            f"partition.guard_fraction is {config.partition.guard_fraction}; "
            "it must be at least 0 and below 1"
        )
    if not 0 < config.update.level <= 0.5:
        raise ConfigError(
            f"update.level is {config.update.level}; it must be above 0 and at most 0.5"
        )
    for name in _SHARES:
        if not 0 <= flat[name] <= 1:
            raise ConfigError(f"{name} is {flat[name]}; it must be in [0, 1]")
    for word in config.export.formats.split(","):
        one_of("export.formats", word.strip(), EXPORT_FORMATS)
    if config.edges_per_round > config.partition.num_edges:
        raise ConfigError(
            f"edges_per_round is {config.edges_per_round}, "
            f"but partition.num_edges is {config.partition.num_edges}"
        )
    if config.data.channels not in (0, 1, 3):
        raise ConfigError(f"data.channels is {config.data.channels}; valid: 0, 1, 3")
    if not config.model.init.endswith(".keras"):
        one_of("model.init", config.model.init, (*MODEL_INITS[:-1], "a PATH.keras"))
    if config.model.init == "imagenet" and config.model.name not in APPLICATIONS:
        raise ConfigError(
            f"model.init=imagenet is for {' and '.join(APPLICATIONS)}, "
            f"model.name is {config.model.name!r}"
        )
    if config.model.weights_path and config.model.init != "imagenet":
        raise ConfigError("model.weights_path is read with model.init=imagenet only")
    for name, choices in (("server.combine", COMBINES), ("update.policy", UPDATE_POLICIES)):
        if ":" not in flat[name]:
            one_of(name, flat[name], choices)
    if config.fleet.kind is FleetKind.FOLDER and not config.fleet.folder:
        raise ConfigError("fleet.kind is folder; say where: --config.fleet.folder=DIR")
    return config


def one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raises a ``ConfigError`` with the valid choices, and a guess, if there is none."""
    if value not in choices:
        raise ConfigError(
            f"{name} is {value!r}; valid: {', '.join(choices)}{guess(value, choices)}"
        )


def guess(word: str, choices: Any) -> str:
    """`` (did you mean …?)`` or nothing."""
    close = difflib.get_close_matches(word, list(choices), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _take_words(config: Any, default: Any) -> None:
    """A choice may be given by its word, as on the command line: the field takes the member."""
    for item in dataclasses.fields(default):
        value, expected = getattr(config, item.name, None), getattr(default, item.name)
        if dataclasses.is_dataclass(expected):
            if type(value) is type(expected):
                _take_words(value, expected)
        elif isinstance(expected, enum.Enum) and isinstance(value, str):
            members = {member.value: member for member in type(expected)}
            setattr(config, item.name, members.get(value, value))


def _check_types(config: Any, default: Any, prefix: str = "") -> None:
    """A config file may assign anything: catch a str where a number belongs."""
    known = [item.name for item in dataclasses.fields(default)]
    for assigned in vars(config):
        if assigned not in known:
            raise ConfigError(
                f"no config field {prefix + assigned!r}{guess(assigned, known)}; valid: "
                + ", ".join(prefix + name for name in known)
            )
    for item in dataclasses.fields(default):
        name = prefix + item.name
        value, expected = getattr(config, item.name), getattr(default, item.name)
        if dataclasses.is_dataclass(expected):
            if type(value) is not type(expected):
                raise ConfigError(f"{name} is {value!r}; expected {type(expected).__name__}(…)")
            _check_types(value, expected, f"{name}.")
            continue
        kinds = (int, float) if isinstance(expected, float) else (type(expected),)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            if isinstance(expected, enum.Enum):
                choices = ", ".join(member.value for member in type(expected))
                raise ConfigError(
                    f"{name} is {value!r}; valid: {choices}{guess(str(value), choices.split(', '))}"
                )
            raise ConfigError(f"{name} is {value!r}; expected {type(expected).__name__}")
