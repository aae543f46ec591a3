"""Weights of 8 bits that fit what a net computes on calibration examples, layer by layer.

Each kernel is rounded so that its layer's answers change least (``rounding``), on inputs that
are rounded as they will be in the file. What is still off in the mean goes into the bias: b +=
E[y] - E[y of the rounded weights] (bias correction: Nagel et al. 2019, arXiv 1906.04721, §4.2,
here measured instead of derived).
"""

from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ecavg_tf.config import Format
from ecavg_tf.core.template import Array
from export.quantizing.grid import (
    Rounded,
    kernel_of,
    largest,
    matrix,
    one_scale,
    ranges,
    rounded_on_the_fly,
    rounded_to,
    stored_in_8_bits,
)
from export.quantizing.net import Net, Operation
from export.quantizing.rounding import rounded_to_fit

_AT_ONCE = 64


def fitted_net(net: Net, inputs: Array, format_: Format) -> Net:
    """A net whose kernels are on their grid, and its biases corrected.

    Args:
        net: in floating point.
        inputs: calibration examples, shape (n, …), raw values.
        format_: ``int8`` or ``dynamic``, or ``int16x8``, whose activations are not rounded.
    """
    rounded = rounding_of(net, inputs, format_)
    exact: dict[int, Any] = {}
    rough: dict[int, Any] = {}
    made: list[Operation] = []
    last = {at: place for place, each in enumerate(net.operations) for at in each.inputs}
    for place, operation in enumerate(net.operations):
        if operation.kind == "input":
            exact[place] = rough[place] = tf.constant(inputs, tf.float32)
            new = operation
        else:
            exact[place] = _computed(operation, exact)
            new = operation
            if stored_in_8_bits(operation, format_):
                new = _fitted(operation, rough[operation.inputs[0]], exact[place], format_)
            rough[place] = _computed(new, rough)
        rough[place] = rounded(place, rough[place])
        made.append(new)
        for at in operation.inputs:
            if last[at] == place:  # nobody reads it again
                exact.pop(at, None)
                rough.pop(at, None)
    return replace(net, operations=made)


def rounding_of(net: Net, inputs: Array, format_: Format) -> Rounded:
    """What a format's file does to results, as far as it can be imitated."""
    if format_ is Format.INT8:
        return rounded_to(ranges(net, inputs))
    return rounded_on_the_fly(net) if format_ is Format.DYNAMIC else lambda _, values: values


def nearest_net(net: Net, format_: Format) -> Net:
    """A net whose kernels are rounded to the nearest, as the converter rounds them."""
    made = []
    for operation in net.operations:
        if stored_in_8_bits(operation, format_):
            weights = matrix(operation)
            step = largest(weights, together=one_scale(operation, format_)) / 127
            kernel = kernel_of(np.round(weights / step) * step, operation)
            operation = replace(operation, kernel=kernel)
        made.append(operation)
    return replace(net, operations=made)


def _computed(operation: Operation, known: dict[int, Any]) -> Any:
    """An operation's result, a few examples at a time."""
    given = [known[at] for at in operation.inputs]
    weights = [tf.constant(each) for each in operation.weights]
    parts = [
        operation.call(*(each[start : start + _AT_ONCE] for each in given), *weights)
        for start in range(0, len(given[0]), _AT_ONCE)
    ]
    return tf.concat(parts, axis=0)


def _fitted(operation: Operation, given: Any, wanted: Any, format_: Format) -> Operation:
    """One layer with its kernel on its grid and its bias corrected."""
    weights = matrix(operation)
    most = largest(weights, together=one_scale(operation, format_))
    chosen = rounded_to_fit(weights, covariance(operation, given), most)
    new = replace(operation, kernel=kernel_of(chosen, operation))
    off = wanted - _computed(new, {operation.inputs[0]: given})
    shift = tf.reduce_mean(tf.cast(off, tf.float64), axis=list(range(len(off.shape) - 1)))
    assert new.bias is not None
    return replace(new, bias=(new.bias + shift.numpy()).astype(np.float32))


def covariance(operation: Operation, given: Any) -> NDArray[np.float64]:
    """The covariance of what one output of an operation reads; the bias takes the mean.

    Args:
        operation: a linear one.
        given: its inputs, shape (n, …).

    Returns:
        Shape (groups, inputs, inputs): a group for each channel of ``depthwise``, else one.
    """
    apart = operation.kind == "depthwise"
    groups, size, _ = matrix(operation).shape
    products, sums, count = np.zeros((groups, size, size)), np.zeros((groups, size)), 0
    for start in range(0, len(given), _AT_ONCE):
        patches = _patches(operation, given[start : start + _AT_ONCE]).numpy()
        patches = patches.reshape(-1, size, groups) if apart else patches.reshape(-1, size, 1)
        each = np.ascontiguousarray(np.moveaxis(patches, 2, 0), np.float64)
        products += np.swapaxes(each, 1, 2) @ each
        sums += each.sum(axis=1)
        count += each.shape[1]
    mean = sums / count
    return products / count - mean[:, :, np.newaxis] * mean[:, np.newaxis, :]


def _patches(operation: Operation, given: Any) -> Any:
    """What an operation's outputs read, the inputs of one output last."""
    window = operation.window
    if window is None or (window.size, window.strides) == ((1, 1), (1, 1)):
        return given
    return tf.image.extract_patches(
        given,
        [1, *window.size, 1],
        [1, *window.strides, 1],
        [1, *window.dilation, 1],
        window.padding.upper(),
    )
