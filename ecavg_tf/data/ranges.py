"""The range of values that nobody declared: what the format says, or what is measured."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.errors import DataError
from ecavg_tf.core.template import Array

_PICTURE = 3  # height, width, channels


@dataclass(frozen=True)
class ValueRange:
    """A range, with where it comes from. ``DataSpec`` takes it over field by field.

    Attributes:
        value_range: lowest and highest value.
        declared: whether values outside are refused.
        feature_ranges: of each feature or channel; empty: one range for all.
    """

    value_range: tuple[float, float]
    declared: bool = False
    feature_ranges: tuple[tuple[float, float], ...] = ()


def known_range(
    stored: tuple[float, float] | None, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> ValueRange | None:
    """The range that data declares, or that its format does: pictures of bytes; else None.

    Args:
        stored: what the data declares; None: nothing.
        shape: of one input.
        dtype: of inputs.
    """
    if stored is not None:
        return ValueRange(stored, declared=True)
    if len(shape) == _PICTURE and dtype == np.uint8:
        return ValueRange((0.0, 255.0), declared=True)
    return None


def measured_range(parts: Iterable[tuple[str, Array]]) -> ValueRange:
    """Measures training data.

    The features of a table and the channels of a signal are measured each on its own, because
    their scales differ. Pictures whose values are fractions from 0 to 1 get that range.

    Args:
        parts: whose training inputs they are, and the inputs, shape (n, …).

    Raises:
        DataError: there are no inputs, or a value is not finite.
    """
    ends: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    shape: tuple[int, ...] = ()
    for where, inputs in parts:
        if len(inputs) == 0:
            continue
        check_finite(where, inputs)
        shape = inputs.shape[1:]
        axes = tuple(range(inputs.ndim if len(shape) >= _PICTURE else inputs.ndim - 1))
        lowest, highest = inputs.min(axis=axes), inputs.max(axis=axes)
        ends.append((np.atleast_1d(lowest).astype(float), np.atleast_1d(highest).astype(float)))
    if not ends:
        raise DataError("there are no training examples to measure the range of values on")
    lows = np.min([low for low, _ in ends], axis=0)
    highs = np.max([high for _, high in ends], axis=0)
    low, high = float(lows.min()), float(highs.max())
    if len(shape) >= _PICTURE and low >= 0.0 and high <= 1.0:
        return ValueRange((0.0, 1.0))
    whole = (low, high if high > low else low + 1.0)
    if len(lows) == 1:
        return ValueRange(whole)
    pairs = zip(lows.tolist(), highs.tolist(), strict=True)
    return ValueRange(whole, feature_ranges=tuple(pairs))


def check_finite(where: str, inputs: Array) -> None:
    """Refuses NaN and infinity.

    Args:
        where: whose inputs they are, for an error.
        inputs: shape (n, …).

    Raises:
        DataError: an input holds one; the line says which input, and a table's column.
    """
    if not np.issubdtype(inputs.dtype, np.floating) or np.isfinite(inputs).all():
        return
    example, *place = np.argwhere(~np.isfinite(inputs))[0].tolist()
    column = f" in column {place[0]}" if len(place) == 1 else ""
    raise DataError(
        f"{where}: example {example} holds NaN or infinity{column}; leave such examples out, or "
        "fill in a number"
    )
