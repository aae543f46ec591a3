"""Between a config and its fields: by dotted names, and as JSON."""

import dataclasses
import enum
from collections.abc import Iterator, Mapping
from typing import Any

from ecavg_tf.config import Config


def flatten(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All fields of a config as (dotted name, value), enums as their values."""
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if dataclasses.is_dataclass(value):
            yield from flatten(value, f"{prefix}{item.name}.")
        else:
            yield prefix + item.name, value.value if isinstance(value, enum.Enum) else value


EXPORT = "export."  # what comes after training: no reason to refuse to resume


def shared_fields(config: Config) -> dict[str, Any]:
    """The fields on which a server and its edges must agree, by dotted names."""
    own = ("fleet.", "data.data_dir", "tensorboard", EXPORT)
    return {name: value for name, value in flatten(config) if not name.startswith(own)}


def to_dict(config: Any) -> dict[str, Any]:
    """The config as a JSON-ready, nested dictionary."""
    return {
        item.name: to_dict(value)
        if dataclasses.is_dataclass(value := getattr(config, item.name))
        else (value.value if isinstance(value, enum.Enum) else value)
        for item in dataclasses.fields(config)
    }


def from_dict(nested: Mapping[str, Any]) -> Config:
    """Reads what ``to_dict`` made of a config; fields that are missing have their defaults.

    Raises:
        ValueError: a field is unknown or its value is none of its choices.
    """
    config = Config()
    _assign(config, nested, "")
    return config


def _assign(config: Any, nested: Mapping[str, Any], prefix: str) -> None:
    for name, value in nested.items():
        if not hasattr(config, name):
            raise ValueError(f"no config field {prefix + name!r}")
        current = getattr(config, name)
        if dataclasses.is_dataclass(current):
            _assign(current, value, f"{prefix}{name}.")
        else:
            setattr(config, name, type(current)(value) if isinstance(current, enum.Enum) else value)


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
