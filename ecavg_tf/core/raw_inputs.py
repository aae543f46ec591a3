"""Inputs as people give them: with or without a batch and a channel, raw or rescaled by hand."""

import numpy as np

from ecavg_tf.core.template import Array

_SMALL = 1 / 8  # of the raw range: what is all within it may have been rescaled


def as_batch(inputs: Array, shape: tuple[int, ...]) -> Array:
    """One input as a batch of one; a last axis of size 1 is added or taken off as it fits.

    Grey images may lack their channel, and windows of sensors that were read as grey images have
    one too many.

    Args:
        inputs: shape (n, …), or that of one input.
        shape: of one input.
    """
    if shape[-1:] == (1,) and (inputs.shape == shape[:-1] or inputs.shape[1:] == shape[:-1]):
        inputs = inputs[..., np.newaxis]
    elif inputs.shape[1:] == (*shape, 1):
        inputs = inputs[..., 0]
    return inputs[np.newaxis] if inputs.shape == shape else inputs


def maybe_rescaled(lowest: float, highest: float, value_range: tuple[float, float]) -> str | None:
    """A note on values so small that they may have been rescaled, which no check can tell.

    Args:
        lowest: the lowest value of any input.
        highest: the highest.
        value_range: lowest and highest value of a raw input.
    """
    low, high = value_range
    dark = highest - low <= (high - low) * _SMALL
    ends = max(abs(low), abs(high)) * _SMALL
    faint = low < 0 and max(abs(lowest), abs(highest)) <= ends
    if not dark and not faint:
        return None
    none = f"above {highest:g}" if dark else f"outside {lowest:g} to {highest:g}"
    return (
        f"no value is {none}, raw inputs go from {low:g} to {high:g}; if these were rescaled, "
        "give raw ones"
    )
