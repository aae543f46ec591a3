"""What a user's model may hold that no run can train or keep, found before training.

Each of these trained, or seemed to, and gave wrong numbers without a word.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ecavg_tf.core.errors import ModelError
from ecavg_tf.core.template import Array

_TRAINED_QUANTIZED = (None, "float8")  # a float8 layer keeps its kernel in float32


def check_trainable(model: keras.Model, name: str) -> None:
    """Refuses what can't be trained, by the layer's name.

    Args:
        model: a built model.
        name: the model's, for the error.

    Raises:
        ModelError: a layer is quantized or keeps a ``tf.Variable``, a weight is not finite, or
            nothing is trainable.
    """
    for layer in model._flatten_layers():
        what = f"model.name={name!r}: layer {layer.name!r} ({type(layer).__name__})"
        mode = getattr(getattr(layer, "dtype_policy", None), "quantization_mode", None)
        if mode not in _TRAINED_QUANTIZED:
            raise ModelError(
                f"{what} is quantized ({mode}), and a quantized kernel can't be trained or "
                "averaged; give the model before quantize(): the export makes int8 files of it"
            )
        for attribute, value in vars(layer).items():
            if isinstance(value, tf.Variable):
                raise ModelError(
                    f"{what} keeps a tf.Variable as {attribute!r}, which Keras neither trains nor "
                    "saves; make it with self.add_weight(...)"
                )
    for variable in model.weights:
        if variable.dtype.startswith("float") and not np.isfinite(variable.numpy()).all():
            raise ModelError(
                f"model.name={name!r}: weight {variable.path} has values that are NaN or infinite "
                "before any training; mend its initializer, or the file that it comes from"
            )
    if not model.trainable_weights:
        raise ModelError(
            f"model.name={name!r} has no trainable weights, training would change nothing; set "
            "layer.trainable=True, and make layers in __init__ or build, not in call"
        )


def check_same_weights(model: keras.Model, other: keras.Model, name: str) -> None:
    """Refuses a function whose models are not all of one architecture.

    Raises:
        ModelError: names the first weight that differs.
    """
    ours = [(variable.name, tuple(variable.shape)) for variable in model.weights]
    theirs = [(variable.name, tuple(variable.shape)) for variable in other.weights]
    if ours == theirs:
        return
    pairs = (pair for pair in zip(ours, theirs, strict=False) if pair[0] != pair[1])
    first = next(pairs, None)
    how = (
        f"{len(ours)} weights once and {len(theirs)} another time"
        if first is None
        else " and ".join(f"{weight} {list(shape)}" for weight, shape in first)
    )
    raise ModelError(
        f"model.name={name!r} makes another architecture each time it is called ({how}); draw "
        "nothing that shapes the model, or draw it from a generator with a fixed seed"
    )


def check_kept(model: keras.Model, before: list[Array], name: str) -> None:
    """Refuses a model whose answers change its weights: no score could be measured again.

    Args:
        model: a model that has answered.
        before: its weights before that.
        name: the model's, for the error.

    Raises:
        ModelError: names the weight.
    """
    pairs = zip(model.weights, before, model.get_weights(), strict=True)
    for variable, was, now in pairs:
        if was.tobytes() != now.tobytes() and variable.name != "seed_generator_state":
            raise ModelError(
                f"model.name={name!r}: weight {variable.path} changes as the model answers, so no "
                "answer comes twice; change it in training only (call(..., training=True))"
            )


def check_drawn_in_graph(model: keras.Model, inputs: Array, name: str) -> None:
    """Refuses chance that tracing freezes: a graph would hold one draw, the next another.

    Args:
        model: one that answers otherwise each time.
        inputs: a few, as the model takes them.
        name: the model's, for the error.

    Raises:
        ModelError: it draws by numpy or Python as it is called.
    """
    traced: Any = tf.function(lambda batch: model(batch, training=False))
    batch = tf.constant(inputs)
    if np.array_equal(traced(batch), traced(batch)):
        raise ModelError(
            f"model.name={name!r} draws random numbers by numpy or Python in call, which a traced "
            "model draws only once; use keras.random, or draw where the layer is made and keep "
            "the numbers in a weight"
        )
