"""A classifier's last layer, and the range that its int8 logits get.

An int8 tensor has 256 values. The converter spreads them from the lowest to the highest
logit that it sees, and a trained head gives outliers far below anything that can win:
measured on CIFAR-10 with MobileNetV2, logits from -45 to 4, a step of 0.19 nats, and one
label in eight tied. A softmax does not see a constant added to all logits, nor what is
far below the best one. So the int8 file computes logits that are centred (the mean over
classes taken off the head's weights) and clipped to a range that is fitted on the
calibration examples. The clipping is a fused ReLU6, which every runtime has.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ecavg_tf.core.bundles.quantization import softmax
from ecavg_tf.core.template import Array

_STEPS = 255
_SIX = 6.0  # ReLU6's ceiling: the range is scaled to it and back
MOST_LEFT_OUT = (0.0, 1.0, 4.0)  # percent of calibration examples; the converter tries all
_TRIED = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0)


@dataclass(frozen=True)
class LogitRange:
    """The range of centred logits, in nats."""

    low: float
    high: float


def head_of(model: keras.Model) -> keras.layers.Layer | None:
    """The Dense layer whose softmax or logits are the model's output, if it ends in one."""
    last, graph = model, model
    while isinstance(last, keras.Model):
        outputs = _outputs(last)
        if outputs is None:
            return None
        graph = last
        history = getattr(outputs[0], "_keras_history", None)
        last = None if history is None else history.operation
    plain = type(last) is keras.layers.Dense and last.use_bias
    # With LoRA, or quantized, the kernel is computed from several variables.
    plain = plain and isinstance(getattr(last, "kernel", None), keras.Variable)
    if not plain or node_in(graph, last) is None:
        return None
    ends = (keras.activations.softmax, keras.activations.linear)
    return last if last.activation in ends else None


def node_in(model: keras.Model, layer: keras.layers.Layer) -> Any | None:
    """The one place where a layer is called in a model; None where there is none, or several.

    A layer counts all its calls, also those in other models that it was lent to.
    """
    outputs = _outputs(model)
    waiting = [] if outputs is None else [tensor._keras_history for tensor in outputs]
    seen: set[int] = set()
    found: list[Any] = []
    inputs = {id(tensor) for tensor in model.inputs} if outputs is not None else set()
    while waiting:
        operation, index, _ = waiting.pop()
        node = operation._inbound_nodes[index]
        if id(node) in seen:
            continue
        seen.add(id(node))
        if operation is layer:
            found.append(node)
        if not any(id(tensor) in inputs for tensor in node.output_tensors):
            waiting += [tensor._keras_history for tensor in node.input_tensors]
    return found[0] if len(found) == 1 else None


def _outputs(model: keras.Model) -> list[Any] | None:
    """What a functional or Sequential model gives; None where Keras does not know its graph."""
    try:
        outputs = model.outputs
    except AttributeError:  # a Sequential that was never called
        return None
    return list(outputs) if outputs else None


def fit_range(logits: Array) -> LogitRange:
    """Chooses the range whose 256 steps change the answers least.

    Every pair of a lower and an upper end from a few percentiles is tried: what is lost
    is the share of images whose best class changes or ties, plus the mean largest change
    of a probability.

    Args:
        logits: Keras' logits of the calibration examples, shape (n, classes), nats.
    """
    centred = np.asarray(logits, np.float64)
    centred = centred - centred.mean(axis=1, keepdims=True)
    lows = np.unique([np.percentile(centred, p) for p in _TRIED])
    ranked = np.sort(centred, axis=1)
    tops = [np.percentile(ranked[:, -1], 100 - p) for p in _TRIED]
    tops += [np.percentile(ranked[:, -2], 100 - p) + 3.0 for p in _TRIED[:4]]
    pairs = [(low, high) for low in lows for high in np.unique(tops) if high - low > 1e-6]
    if not pairs:
        return LogitRange(float(centred.min()), float(centred.min() + 1.0))
    low, high = min(pairs, key=lambda pair: _lost(centred, *pair))
    return LogitRange(float(low), float(high))


def typical(logits: Array, most: float = MOST_LEFT_OUT[-1]) -> NDArray[np.bool_]:
    """Which calibration examples count: all but far outliers.

    A few training examples drive a deep net's activations a hundred times further than
    all others, and the converter takes the widest range it sees. Measured on ResNet50 of
    a CIFAR-100 run: of 200 calibration examples 8 were far out (logits up to 350 where the
    median is 2.6); with them int8 agreed with Keras on 41 % of test examples, without them
    on 94 %, ties aside. Far out is beyond Tukey's outer fence, the upper quartile plus three
    interquartile ranges, of each image's largest centred logit. But what is clipped at
    inference costs labels, too: on a CIFAR-10 MobileNetV2, 4 % left out cost 2.1 points of
    accuracy, none left out nothing.

    Args:
        logits: Keras' logits of the calibration examples, shape (n, classes).
        most: percent of the images that may be left out.

    Returns:
        Shape (n,), True for images to calibrate on.
    """
    centred = np.asarray(logits, np.float64)
    largest = np.abs(centred - centred.mean(axis=1, keepdims=True)).max(axis=1)
    lower, upper, nearly_all = np.percentile(largest, [25, 75, 100 - most])
    return np.asarray(largest <= max(upper + 3.0 * (upper - lower), nearly_all))


def _lost(centred: NDArray[np.float64], low: float, high: float) -> float:
    step = (high - low) / _STEPS
    seen = low + step * np.round((np.clip(centred, low, high) - low) / step)
    best = np.arange(len(centred)), centred.argmax(axis=1)
    top = seen == seen.max(axis=1, keepdims=True)
    kept = top[best] / top.sum(axis=1)
    changed = np.abs(softmax(seen) - softmax(centred)).max(axis=1)
    return float((1.0 - kept).mean() + changed.mean())


@contextlib.contextmanager
def giving_logits(head: keras.layers.Layer) -> Iterator[None]:
    """While it lasts, the head gives its logits."""
    kept = head.activation
    head.activation = keras.activations.linear
    try:
        yield
    finally:
        head.activation = kept


@contextlib.contextmanager
def fitted(head: keras.layers.Layer, limits: LogitRange) -> Iterator[None]:
    """While it lasts, the head gives centred logits, clipped to ``limits``, from 0 up."""
    kernel, bias = head.kernel.numpy(), head.bias.numpy()
    kept = head.activation
    scale = np.float32(_SIX / (limits.high - limits.low))
    head.kernel.assign((kernel - kernel.mean(axis=1, keepdims=True)) * scale)
    head.bias.assign((bias - bias.mean() - limits.low) * scale)
    head.activation = lambda scaled: tf.nn.relu6(scaled) * (1 / scale)
    try:
        yield
    finally:
        head.kernel.assign(kernel)
        head.bias.assign(bias)
        head.activation = kept
