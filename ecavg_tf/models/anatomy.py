"""Where a model keeps what the rungs exchange: its head, the head's bias, its BatchNorm."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from ecavg_tf.core.anatomy import Anatomy
from ecavg_tf.core.template import Array
from ecavg_tf.models.batchnorm import batchnorm_layers

_AGREES = 1e-3  # of a probability; float32 through a softmax is exact to 1e-6


def anatomy_of(
    model: keras.Model,
    inputs: Array,
    *,
    logits: bool,
) -> Anatomy:
    """Finds a model's parts; the head's bias by trying.

    A vector that looks like the head's bias may feed anything (a sigmoid, another
    layer). So each is shifted, and it is the head's bias if the outputs move exactly as
    logits would. That works for subclassed models, too. A model so sure of itself that no
    output moves tells nothing: try freshly initialised weights.

    Args:
        model: a built model; its weights are as before afterwards.
        inputs: a few examples to try on, as the model takes them.
        logits: whether the model gives logits.
    """
    position = {id(variable): index for index, variable in enumerate(model.weights)}
    owners = [
        tuple(sorted(position[id(variable)] for variable in layer.weights))
        for layer in model._flatten_layers()
        if _own_weights(layer)
    ]
    bias = _head_bias(model, inputs, logits=logits)
    with_bias = [positions for positions in owners if bias in positions]
    norms = batchnorm_layers(model)
    return Anatomy(
        head=(with_bias or owners or [()])[-1],
        head_bias=bias,
        batchnorm=tuple(sorted(position[id(v)] for layer in norms for v in layer.weights)),
    )


def _head_bias(model: keras.Model, inputs: Array, *, logits: bool) -> int | None:
    weights: list[Array] = model.get_weights()

    def outputs(changed: Sequence[Array]) -> Array:
        model.set_weights(changed)
        raw = model(inputs, training=False)  # eager: nothing is traced for a few examples
        return np.asarray(keras.ops.convert_to_numpy(raw), np.float64)

    before = outputs(weights)
    candidates = [
        index
        for index, variable in enumerate(model.weights)
        if variable.trainable and tuple(variable.shape) == before.shape[1:]
    ]
    found = (
        index
        for index in reversed(candidates)
        if _adds_to_logits(index, weights, before, outputs, logits=logits)
    )
    bias = next(found, None)
    model.set_weights(weights)
    return bias


def _own_weights(layer: keras.layers.Layer) -> bool:
    """Whether a layer itself, not one inside it, has trainable weights."""
    inner = {id(v) for child in layer._flatten_layers(include_self=False) for v in child.weights}
    return any(id(v) not in inner for v in layer.trainable_weights)


def _adds_to_logits(
    index: int,
    weights: Sequence[Array],
    before: Array,
    outputs: Callable[[Sequence[Array]], Array],
    *,
    logits: bool,
) -> bool:
    """Whether shifting one weight shifts the logits alike."""
    shift = np.linspace(-1.0, 1.0, before.shape[1])
    shifted = list(weights)
    shifted[index] = (weights[index] + shift).astype(weights[index].dtype)
    after = outputs(shifted)
    if logits:
        return bool(np.allclose(after, before + shift, atol=_AGREES))
    expected = before * np.exp(shift)
    expected /= expected.sum(axis=1, keepdims=True)
    # A softmax so saturated that nothing moves proves nothing.
    moved = np.abs(after - before).max() > 10 * _AGREES
    return bool(moved and np.allclose(after, expected, atol=_AGREES))
