"""Checking a config once, with an answer that says how to mend it."""

import copy
import dataclasses
import difflib
import enum
import math
import operator
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ecavg_tf.config.choices import Format
from ecavg_tf.config.clashes import clashes
from ecavg_tf.config.fields import flatten
from ecavg_tf.config.presence import WaitFor, rounds_of
from ecavg_tf.config.sections import Config
from ecavg_tf.config.tune import tune_epochs
from ecavg_tf.core.errors import ConfigError

MODEL_INITS = ("shared", "independent", "imagenet", "a PATH.keras")

_AT_LEAST = {
    "seed": 0,
    "rounds": 1,
    "edges_per_round": 0,
    "keep_rounds": 0,
    "data.train_examples": 0,
    "data.test_examples": 0,
    "data.image_size": 0,
    "partition.shards_per_edge": 1,
    "partition.min_examples": 1,
    "server.pool_bytes": 0,
    "server.max_update_ratio": 0,
    "server.max_examples_ratio": 0,
    "edge.weight_decay": 0,
    "edge.dp_clip": 0,
    "edge.dp_noise_multiplier": 0,
    "server.weight_decay": 0,
    "partition.num_edges": 1,
    "fleet.quorum": 1,
    "model.hidden_units": 1,
    "edge.epochs": 1,
    "edge.patience": 0,
    "server.patience": 0,
    "edge.steps_per_execution": 0,
    "server.steps_per_execution": 0,
    "edge.recalibrate_examples": 0,
    "server.epochs": 0,
    "server.recalibrate_examples": 0,
    "server.influence_examples": 0,
    "server.probe_examples": 1,
    "server.tail_epochs": 0,
    "server.warmup_epochs": 0,
    "fleet.workers": 0,
    "export.calibration_examples": 1,
    "export.parity_examples": 0,
    "export.max_difference": 0,
    "export.max_difference_float16": 0,
    "export.max_mean_difference_dynamic": 0,
    "export.max_mean_difference_int8": 0,
}
_LARGEST_BATCH = 2**30  # TensorFlow counts examples in 32 bits, and two batches are added
_RANGES: dict[str, tuple[Callable[[float], bool], Sequence[str]]] = {
    f"at least 1 and at most {_LARGEST_BATCH}": (
        lambda value: 1 <= value <= _LARGEST_BATCH,
        ("edge.batch_size", "server.batch_size"),
    ),
    "a number above 0": (
        lambda value: 0 < value <= sys.float_info.max,
        (
            "edge.learning_rate",
            "server.learning_rate",
            "fleet.timeout_s",
            "fleet.edge_timeout_s",
            "partition.alpha",
            "export.latency_s",
        ),
    ),
    "at least 0 and below 0.5": (lambda value: 0 <= value < 0.5, ("server.trim",)),
    "at least 0 and below 1": (
        lambda value: 0 <= value < 1,
        ("partition.guard_fraction", "server.rate_warmup"),
    ),
    "above 0 and at most 1": (lambda value: 0 < value <= 1, ("server.pool_fraction",)),
    "above 0 and at most 0.5": (lambda value: 0 < value <= 0.5, ("update.level",)),
    "above 0 and below 1": (
        lambda value: 0 < value < 1,
        ("edge.dp_delta", "edge.stop_fraction", "server.stop_fraction"),
    ),
    "in [0, 1]": (
        lambda value: 0 <= value <= 1,
        (
            "export.min_agreement_float",
            "export.min_agreement_dynamic",
            "export.min_agreement_int8",
            "export.max_ties",
            "export.max_accuracy_loss",
            "server.distill",
        ),
    ),
}


_NO_NUMBER = 2**63  # libraries count to here, and a float holds no whole number beyond 1e308


def with_fields(config: Config, values: Mapping[str, Any]) -> Config:
    """A new config in which some fields have other values.

    Args:
        config: what it starts from; it stays as it is.
        values: by dotted names, as on the command line: ``{"edge.epochs": 3}``. A choice
            may be given by its word.

    Returns:
        The new config, validated.

    Raises:
        ConfigError: there is no field of that name, or a value is wrong.
    """
    changed = copy.deepcopy(config)
    for name, value in values.items():
        check_field(name)
        section, _, field = name.rpartition(".")
        setattr(operator.attrgetter(section)(changed) if section else changed, field, value)
    return validated(changed)


def check_field(name: str) -> None:
    """Raises a ``ConfigError`` with a guess if no field has this dotted name."""
    names = [known for known, _ in flatten(Config())]
    if name not in names:
        section = [known for known in names if known.startswith(name.split(".")[0] + ".")]
        raise ConfigError(
            f"no config field {name!r}{guess(name, names)}; valid: {', '.join(section or names)}"
        )


def validated(config: Config) -> Config:
    """Checks every field and returns the config.

    Names that stand in a registry (``server.combine``, ``update.policy``, ``model.name``)
    are checked where the registry is.

    Raises:
        ConfigError: the first field that is wrong, what came and what was expected.
    """
    _check_types(config, Config())
    _check_ranges(dict(flatten(config)))
    _check_words(config)
    if (fault := next(clashes(config), None)) is not None:
        raise ConfigError(fault)
    return config


def _check_ranges(flat: Mapping[str, Any]) -> None:
    for name, lowest in _AT_LEAST.items():
        if not flat[name] >= lowest:
            raise ConfigError(f"{name} is {flat[name]}; it must be at least {lowest}")
    for words, (fits, names) in _RANGES.items():
        for name in names:
            if not fits(flat[name]):
                raise ConfigError(f"{name} is {flat[name]}; it must be {words}")
    for name, value in flat.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{name} is {value}; it must be a finite number")


def _check_words(config: Config) -> None:
    """Fields whose text or number must be one of a few, or must be readable."""
    tune_epochs(config.export.tune)
    for word in config.export.formats.split(","):
        one_of("export.formats", word.strip(), tuple(Format))
    if config.data.channels not in (0, 1, 3):
        raise ConfigError(f"data.channels is {config.data.channels}; valid: 0, 1, 3")
    if not config.model.init.endswith(".keras"):
        one_of("model.init", config.model.init, MODEL_INITS)
    WaitFor.of(config.fleet.wait_for, config.fleet.quorum)
    rounds_of(config.fleet.presence)


def one_of(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raises a ``ConfigError`` with the valid choices, and a guess, if there is none."""
    if value not in choices:
        raise ConfigError(
            f"{name} is {value!r}; valid: {', '.join(choices)}{guess(value, choices)}"
        )


def guess(word: Any, choices: Any) -> str:
    """`` (did you mean …?)`` or nothing."""
    close = difflib.get_close_matches(str(word), [str(choice) for choice in choices], n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _check_types(config: Any, default: Any, prefix: str = "") -> None:
    """A config file may assign anything: catch a str where a number belongs.

    A choice may be given by its word, as on the command line: the field takes the member.
    """
    known = [item.name for item in dataclasses.fields(default)]
    for assigned in vars(config):
        if assigned not in known:
            check_field(prefix + assigned)
    for field in known:
        name, value, expected = prefix + field, getattr(config, field), getattr(default, field)
        if isinstance(expected, enum.Enum):
            members = {member.value: member for member in type(expected)}
            if value not in members.values():
                one_of(name, value, tuple(members))
                setattr(config, field, members[value])
        elif dataclasses.is_dataclass(expected):
            if type(value) is not type(expected):
                raise ConfigError(f"{name} is {value!r}; expected {type(expected).__name__}(…)")
            _check_types(value, expected, f"{name}.")
        else:
            kinds = (int, float) if isinstance(expected, float) else (type(expected),)
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                raise ConfigError(f"{name} is {value!r}; expected {type(expected).__name__}")
            if isinstance(value, int) and abs(value) >= _NO_NUMBER:
                raise ConfigError(f"{name} has more than 18 digits; give a number below 2**63")
