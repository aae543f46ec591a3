"""Judges files whose outputs are values and no classes: each column of the output by its own range.

One output may hold a place in pixels and a score in 0..1. A file that gets every place right and
loses the score differs by little of the range of the whole, and by all of the score's own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.config import Format
from ecavg_tf.core.bundles.bundle import TensorSpec
from ecavg_tf.core.template import Array

# Largest difference of a value, and for quantized formats its root mean square, as shares
# of the range of Keras' own values.
_LIMITS = {
    Format.FLOAT32: 1e-4,
    Format.FLOAT16: 1e-2,
    Format.DYNAMIC: 0.05,
    Format.INT8: 0.05,
    Format.INT16X8: 0.05,
}
# Of the largest value: float32 sums in another order differ by so much, which is a good part of
# the range of a column that runs from 1000.0 to 1000.1.
_ROUNDING = 2e-6
_CONSTANT = 1e-6  # of the largest value: a narrower range is rounding
_LEAST_SHARE = 0.1  # shares that never rise above this are judged as if they did
_FEWEST_STEPS = 4  # of an int8 output: with fewer in its range, a column tells nothing
# Where a score rises in one of a thousand examples, a file that never does is off by 3 % of the
# range only. So both halves of the range are looked at alone, too, by a limit so many times laxer.
_HALF = 5


@dataclass(frozen=True)
class _Column:
    """The values at one place of an axis.

    Attributes:
        name: what it is called in an error.
        expected: Keras' values, shape (m,).
        found: the file's, shape (m,).
        unit: the range that differences are measured by.
    """

    name: str
    expected: NDArray[np.float64]
    found: NDArray[np.float64]
    unit: float


def compare_values(
    keras_values: Array, file_values: Array, format_: Format, output: TensorSpec | None = None
) -> tuple[str, ...]:
    """Judges a model whose output is not classes: why its file fails; empty: it passed.

    Args:
        keras_values: Keras' values, shape (n, …).
        file_values: the file's, of the same shape.
        format_: the file's format.
        output: its output tensor, whose step the reason then tells; None: not known.
    """
    expected = np.asarray(keras_values, np.float64)
    found = np.asarray(file_values, np.float64)
    if found.shape != expected.shape:
        return (f"its answers have shape {found.shape}, Keras' {expected.shape}",)
    if not np.isfinite(found).all():
        return ("it answers NaN or infinity",)
    if expected.ndim == 1:
        expected, found = expected[:, np.newaxis], found[:, np.newaxis]
    shares = [(_share(column, format_, output), column) for column in _columns(expected, found)]
    worst, column = max(shares, key=lambda pair: pair[0])
    if worst <= _LIMITS[format_]:
        return ()
    broken = sum(share > _LIMITS[format_] for share, _ in shares)
    more = f" ({broken} of {len(shares)} outputs break this)" if broken > 1 else ""
    return (_reason(column, worst, format_, output) + more,)


def _columns(expected: NDArray[np.float64], found: NDArray[np.float64]) -> Iterator[_Column]:
    whole = float(np.ptp(expected)) or float(np.abs(expected).max())
    shares = bool(expected.min() >= 0.0 and expected.max() <= 1.0)
    for axis in _axes(expected.shape):
        for place in range(expected.shape[axis]):
            values = expected.take(place, axis).reshape(-1)
            unit = _range(values) or whole or 1.0
            yield _Column(
                name="the output" if expected.shape[axis] == 1 else f"output {place}",
                expected=values,
                found=found.take(place, axis).reshape(-1),
                unit=max(unit, _LEAST_SHARE) if shares else unit,
            )


def _axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes whose places may be values of different kinds.

    The last one; and the first one after the batch, where it is shorter than all others, as in
    the (84, 8400) of detectors that keep their channels first.
    """
    last = len(shape) - 1
    first = shape[1] < min(shape[2:], default=0)
    return (1, last) if first else (last,)


def _range(values: NDArray[np.float64]) -> float:
    """What differences of a column are measured by: its range, or the size of a constant."""
    largest, spread = float(np.abs(values).max()), float(np.ptp(values))
    return spread if spread > _CONSTANT * largest else largest


def _share(column: _Column, format_: Format, output: TensorSpec | None) -> float:
    """The difference of a column as a share of its unit; 1 where the column is lost."""
    rounding = _ROUNDING * np.abs(column.expected).max()
    off = np.maximum(np.abs(column.found - column.expected) - rounding, 0.0) / column.unit
    if format_ in (Format.FLOAT32, Format.FLOAT16):
        return float(off.max())
    if output is not None and _is_lost(column, output):
        return 1.0
    upper = column.expected > (column.expected.min() + column.expected.max()) / 2
    halves = [_root_mean_square(off[half]) / _HALF for half in (upper, ~upper)]
    return max(_root_mean_square(off), *halves)


def _root_mean_square(off: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(off**2))) if len(off) else 0.0


def _is_lost(column: _Column, output: TensorSpec) -> bool:
    """Whether the output has too few steps for a column that is no constant."""
    spread, largest = float(np.ptp(column.expected)), float(np.abs(column.expected).max())
    if output.scale is None or spread <= _CONSTANT * largest:
        return False
    return column.unit < _FEWEST_STEPS * output.scale


def _reason(column: _Column, worst: float, format_: Format, output: TensorSpec | None) -> str:
    low, high = column.expected.min(), column.expected.max()
    if output is not None and _is_lost(column, output):
        return (
            f"{column.name} is lost: its values run from {low:.3g} to {high:.3g}, the output's "
            f"step is {output.scale:.3g}; scale all outputs to one range, or export each in a file "
            "of its own (keras.Model(model.input, …))"
        )
    floating = format_ in (Format.FLOAT32, Format.FLOAT16)
    how = "a value differs" if floating else "values differ (root mean square)"
    within = f"{worst:.2g} of the range of Keras' values ({low:.3g} to {high:.3g})"
    off = np.sqrt(np.mean(((column.found - column.expected) / column.unit) ** 2))
    if not floating and off <= _LIMITS[format_]:
        return (
            f"{column.name}: values in the rarer half of their range ({low:.3g} to {high:.3g}) "
            f"differ by {_HALF * worst:.2g} of it (root mean square), at most "
            f"{_HALF * _LIMITS[format_]:g} is allowed"
        )
    return f"{column.name}: {how} by {within}, at most {_LIMITS[format_]:g} is allowed"
