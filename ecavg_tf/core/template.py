"""The template: what a model's list of weights looks like, agreed on by both ends."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.fields import Fields
from ecavg_tf.core.files import canonical_json

Array = NDArray[Any]


class Role(StrEnum):
    """What a weight is for, which decides how it is averaged."""

    TRAINABLE = "trainable"
    STATISTIC = "statistic"
    STATE = "state"


@dataclass(frozen=True)
class WeightSpec:
    """One weight of the model.

    Attributes:
        key: a label, unique in the template; position, not the key, is what maps it
            to ``model.weights``.
        shape: its shape.
        dtype: numpy's name of its dtype.
        role: ``trainable``, ``statistic`` (float, not trained: BatchNorm's moving
            statistics, frozen layers) or ``state`` (not float: never averaged).
        omittable: whether an edge may leave it out of its update.
    """

    key: str
    shape: tuple[int, ...]
    dtype: str
    role: Role
    omittable: bool = False

    @property
    def averaged(self) -> bool:
        """Whether the server averages it."""
        return self.role is not Role.STATE


@dataclass(frozen=True)
class Template:
    """The ordered weights of a model, as ``model.weights`` lists them."""

    weights: tuple[WeightSpec, ...]

    def __post_init__(self) -> None:
        if len({spec.key for spec in self.weights}) != len(self.weights):
            raise ValueError("a template's keys must be unique; make them so with unique_keys()")

    @cached_property
    def sha256(self) -> str:
        """Hash of the template itself, carried by every update made for it."""
        return hashlib.sha256(canonical_json(self.to_json()).encode()).hexdigest()

    @property
    def size(self) -> int:
        """How many numbers all weights have together."""
        return sum(math.prod(spec.shape) for spec in self.weights)

    def named(self, weights: Sequence[Array]) -> dict[str, Array]:
        """Puts the template's keys on a list in ``model.get_weights()`` order."""
        keys = [spec.key for spec in self.weights]
        return dict(zip(keys, weights, strict=True))

    def listed(self, named: Mapping[str, Array], missing: Sequence[Array]) -> list[Array]:
        """Turns named weights into a list, taking what is absent from ``missing``."""
        return [
            named.get(spec.key, other) for spec, other in zip(self.weights, missing, strict=True)
        ]

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "weights": [
                {
                    "key": spec.key,
                    "shape": list(spec.shape),
                    "dtype": spec.dtype,
                    "role": spec.role.value,
                    "omittable": spec.omittable,
                }
                for spec in self.weights
            ]
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Template":
        """Reads what ``to_json`` wrote.

        Raises:
            ValueError: a field is missing or of the wrong kind.
        """
        return cls(Fields.of(value, "template.").each("weights", _spec))


def _spec(weights: Fields, at: str) -> WeightSpec:
    spec = weights.inner(at)
    return WeightSpec(
        key=spec.text("key"),
        shape=spec.each("shape", Fields.count),
        dtype=spec.text("dtype"),
        role=Role(spec.choice("role", tuple(Role))),
        omittable=spec.flag("omittable"),
    )


def unique_keys(labels: Sequence[str]) -> list[str]:
    """Makes labels unique by numbering repeats, keeping their order.

    ``variable.path`` is not unique, so the second ``dense/kernel`` becomes
    ``dense/kernel#2``, or gets a higher number if that label exists already.
    """
    keys: list[str] = []
    taken = set(labels)
    seen: set[str] = set()
    for label in labels:
        key, number = label, 1
        while key in seen or (number > 1 and key in taken):
            number += 1
            key = f"{label}#{number}"
        seen.add(key)
        keys.append(key)
    return keys


def all_finite(weights: Sequence[Array]) -> bool:
    """Whether no value of a model's weights is NaN or infinite."""
    return all(bool(np.isfinite(array).all()) for array in weights)


def weights_sha256(weights: Sequence[Array]) -> str:
    """SHA-256 over the weights' little-endian bytes, in template order.

    Args:
        weights: arrays in ``model.get_weights()`` order.
    """
    digest = hashlib.sha256()
    for weight in weights:
        array = np.asarray(weight, order="C")
        digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()
