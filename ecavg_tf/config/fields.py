"""Reads and sets config fields by dotted names, and writes a config as JSON."""

import dataclasses
import enum
from collections.abc import ItemsView
from typing import Any

from ecavg_tf.config.sections import Config


def flatten(config: Any) -> ItemsView[str, Any]:
    """All fields of a config as (dotted name, value), enums as their values."""
    return flatten_dict(to_dict(config)).items()


EXPORT = "export."  # what comes after training: no reason to refuse to resume


_OWN = ("fleet.", "baseline.", "data.data_dir", "data.spec", "tensorboard", "keep_", EXPORT)
_COST = ".steps_per_execution"  # which changes no bit


def is_shared(name: str) -> bool:
    """Whether a server and its edges must agree on a field, given by its dotted name."""
    return not name.startswith(_OWN) and not name.endswith(_COST)


def shared_fields(config: Config) -> dict[str, Any]:
    """The fields on which a server and its edges must agree, by dotted names."""
    return {name: value for name, value in flatten(config) if is_shared(name)}


def to_dict(config: Any) -> dict[str, Any]:
    """The config as a JSON-ready, nested dictionary."""
    return {
        item.name: to_dict(value)
        if dataclasses.is_dataclass(value := getattr(config, item.name))
        else (value.value if isinstance(value, enum.Enum) else value)
        for item in dataclasses.fields(config)
    }


def flatten_dict(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """``to_dict``'s result with dotted names."""
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        flat |= (
            flatten_dict(value, f"{prefix}{name}.")
            if isinstance(value, dict)
            else {prefix + name: value}
        )
    return flat
