"""Features on scales of their own, rescaled before an int8 model's input is quantized.

An int8 input has one scale for all its values. Beside a feature that goes to 4,000, one that goes
to 0.1 would be lost in the first step. So the rescaling that such a model begins with is left out
of its int8 file, and written beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.fields import Fields
from ecavg_tf.core.template import Array


@dataclass(frozen=True)
class FeatureScaling:
    """What is done to raw inputs: ``inputs * scale + offset``, in float32.

    Attributes:
        scale: one number for each place on the inputs' last axis.
        offset: likewise.
    """

    scale: tuple[float, ...]
    offset: tuple[float, ...]

    def __call__(self, inputs: Array) -> NDArray[np.float32]:
        """Rescaled inputs, shape (n, …, features) as they came."""
        scale, offset = np.array(self.scale, np.float32), np.array(self.offset, np.float32)
        return np.asarray(np.asarray(inputs, np.float32) * scale + offset, np.float32)

    @classmethod
    def field(cls, fields: Fields, name: str) -> "FeatureScaling":
        """Reads what ``asdict`` made of one.

        Raises:
            ValueError: it is not one.
        """
        inner = fields.inner(name)
        inner.only(("scale", "offset"))
        made = cls(inner.each("scale", Fields.number), inner.each("offset", Fields.number))
        if len(made.scale) != len(made.offset) or not made.scale:
            raise inner.refuse("offset", "as many numbers as scale has")
        return made


def rescaled(scaling: FeatureScaling | None, inputs: Array) -> Array:
    """Raw inputs as the file takes them before they are quantized."""
    return inputs if scaling is None else scaling(inputs)


def bounds_of(
    value_range: tuple[float, float], feature_ranges: tuple[tuple[float, float], ...]
) -> tuple[Any, Any]:
    """Lowest and highest value: two numbers, or an array each with one number a feature."""
    if not feature_ranges:
        return value_range
    lows, highs = np.array(feature_ranges).T
    return lows, highs


def told(info: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """What a dataclass has to say: fields that are left at their defaults are left out.

    Args:
        info: the dataclass.
        values: what ``asdict`` made of it.
    """
    defaults = {each.name: each.default for each in fields(info)}
    return {name: value for name, value in values.items() if getattr(info, name) != defaults[name]}
