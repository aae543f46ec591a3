"""The end of a net of int8: centred logits clipped to a range, instead of probabilities.

The same transformation as ``export.making.head`` makes in a Keras model: a softmax does not
see a constant added to all logits, nor what is far below the best one.
"""

from dataclasses import replace

import numpy as np
from keras import ops

from export.making.head import LogitRange
from export.quantizing.net import Net, Operation

_SIX = 6.0


def giving_logits(net: Net) -> Net:
    """The net without its last softmax."""
    if net.operations[-1].kind != "softmax":
        return net
    return replace(net, operations=net.operations[:-1])


def giving_fitted_logits(net: Net, limits: LogitRange) -> Net:
    """A net that gives centred logits, clipped to ``limits``, from 0 up.

    Args:
        net: one that ends in a Dense layer, and perhaps a softmax.
        limits: fitted on calibration examples.
    """
    *before, head = giving_logits(net).operations
    assert head.kernel is not None and head.bias is not None
    scale = np.float32(_SIX / (limits.high - limits.low))
    kernel = (head.kernel - head.kernel.mean(axis=1, keepdims=True)) * scale
    bias = (head.bias - head.bias.mean() - limits.low) * scale
    place = len(before)
    back = np.full(1, 1 / scale, np.float32)
    return replace(
        net,
        operations=[
            *before,
            replace(head, kernel=kernel, bias=bias),
            Operation("relu6", head.name, (place,), ops.relu6),
            Operation("scale", head.name, (place + 1,), lambda x, a: x * a, back),
        ],
    )
