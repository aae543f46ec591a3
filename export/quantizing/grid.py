"""The grids of 8 bits that a file rounds to: of weights, and of what operations compute.

Weights are symmetric, one scale for each output channel: q = round(w / s), s = max|w| / 127
(Jacob et al. 2018, arXiv 1712.05877; Krishnamoorthi 2018, arXiv 1806.08342). Activations of
int8 have one range for each tensor, measured on calibration examples; those of dynamic get
theirs from each example while the file runs.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ecavg_tf.config import Format
from ecavg_tf.core.template import Array
from export.quantizing.net import Floats, Net, Operation

STEPS = 127
_SMALLEST_STORED = 1024  # dynamic keeps kernels of fewer elements in float32
_AT_ONCE = 64
Range = tuple[float, float]
Rounded = Callable[[int, Any], Any]


def matrix(operation: Operation) -> NDArray[np.float64]:
    """A kernel as (groups, inputs of one output, outputs of a group), float64."""
    assert operation.kernel is not None
    kernel = operation.kernel.astype(np.float64)
    if operation.kind == "depthwise":
        return np.moveaxis(kernel.reshape(-1, *kernel.shape[-2:]), 1, 0)
    return kernel.reshape(1, -1, kernel.shape[-1])


def kernel_of(matrix_: NDArray[np.float64], operation: Operation) -> Floats:
    """The inverse of ``matrix``."""
    assert operation.kernel is not None
    if operation.kind == "depthwise":
        matrix_ = np.moveaxis(matrix_, 0, 1)
    return matrix_.reshape(operation.kernel.shape).astype(np.float32)


def stored_in_8_bits(operation: Operation, format_: Format) -> bool:
    """Whether a format's file rounds an operation's kernel."""
    if not operation.linear or operation.kernel is None:
        return False
    return format_ is not Format.DYNAMIC or operation.kernel.size >= _SMALLEST_STORED


def one_scale(operation: Operation, format_: Format) -> bool:
    """Whether a kernel has one scale for all of its channels."""
    return operation.kind == "dense" and format_ is Format.DYNAMIC


def largest(weights: NDArray[np.float64], *, together: bool) -> NDArray[np.float64]:
    """Of a kernel's matrix the largest absolute values, shape (groups, 1, outputs)."""
    axes = (0, 1, 2) if together else (1,)
    found = np.abs(weights).max(axis=axes, keepdims=True)
    shape = (weights.shape[0], 1, weights.shape[2])
    return np.broadcast_to(np.where(found > 0, found, 1.0), shape)


def ranges(net: Net, inputs: Array) -> list[Range | None]:
    """The ranges that int8 gets, as the converter measures them.

    Args:
        net: with the weights that the file will have.
        inputs: calibration examples.

    Returns:
        One an operation, zero included; None: its result never exists in the file.
    """
    low = np.zeros(len(net.operations))
    high = np.zeros(len(net.operations))
    compute = tf.function(lambda batch: net.run(batch), autograph=False, reduce_retracing=True)
    for start in range(0, len(inputs), _AT_ONCE):
        found = compute(tf.constant(inputs[start : start + _AT_ONCE], tf.float32))
        low = np.minimum(low, [float(tf.reduce_min(values)) for values in found])
        high = np.maximum(high, [float(tf.reduce_max(values)) for values in found])
    chosen: list[Range | None] = []
    for place, operation in enumerate(net.operations):
        if net.fused(place):
            chosen.append(None)
        elif operation.kind == "move":  # it has the scale of what it moves
            chosen.append(chosen[operation.inputs[0]])
        elif operation.kind == "softmax":
            chosen.append((0.0, 255 / 256))
        else:
            chosen.append((float(low[place]), float(high[place])))
    return chosen


def rounded_to(ranges_: Sequence[Range | None]) -> Rounded:
    """What rounds every operation's result to 256 values, with gradients through it."""

    def rounded(place: int, values: Any) -> Any:
        range_ = ranges_[place]
        if range_ is None or range_[1] <= range_[0]:
            return values
        return tf.quantization.fake_quant_with_min_max_args(values, *range_)

    return rounded


def rounded_on_the_fly(net: Net) -> Rounded:
    """What dynamic does: it rounds what kernels of 8 bits read, each example by its own range."""
    read = {
        operation.inputs[0]
        for _, operation in net.linears()
        if stored_in_8_bits(operation, Format.DYNAMIC)
    }

    def rounded(place: int, values: Any) -> Any:
        if place not in read:
            return values
        axes = tuple(range(1, len(values.shape)))
        low = tf.minimum(tf.reduce_min(values, axes, keepdims=True), 0.0)
        high = tf.maximum(tf.reduce_max(values, axes, keepdims=True), 0.0)
        step = tf.maximum((high - low) / 255.0, 1e-12)
        zero = tf.round(-low / step)
        steps = tf.clip_by_value(tf.round(values / step) + zero, 0.0, 255.0)
        return values + tf.stop_gradient((steps - zero) * step - values)

    return rounded
