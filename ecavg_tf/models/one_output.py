"""Models with one output for two classes: what it is, found by trying."""

import keras
import numpy as np

from ecavg_tf.core.template import Array

_FAR = 30.0  # a logit moves by as much as the bias that is added to it; a sigmoid stays in 0..1


def has_one_output(model: keras.Model, inputs: Array) -> bool:
    """Whether a built model gives one number an example.

    Args:
        model: its weights and states are as before afterwards.
        inputs: at least one, as the model takes them.
    """
    try:
        shape = model.output_shape
    except AttributeError:  # Keras knows no graph of a subclassed model
        states = model.get_weights()
        shape = model(inputs[:1], training=False).shape
        model.set_weights(states)
    return isinstance(shape, tuple) and len(shape) == 2 and shape[1] == 1


def gives_one_probability(model: keras.Model, inputs: Array) -> bool | None:
    """Whether the one output of a model is a probability, whatever its weights are.

    A logit may lie in 0..1, too, so looking at a few outputs tells nothing. But with the last
    layer's weights moved far up or down, a logit leaves that range and a sigmoid does not.

    Args:
        model: a built model with one output; its weights are as before afterwards.
        inputs: a few, as the model takes them.

    Returns:
        False: a logit; None: neither, because nothing moves it (a softmax of one output is
        always 1).
    """
    weights = model.get_weights()
    ends = [
        index
        for index, variable in enumerate(model.weights)
        if variable.trainable and variable.shape and variable.shape[-1] == 1
    ]
    found = []
    for far in (0.0, _FAR, -_FAR):
        moved = list(weights)
        for index in ends:
            moved[index] = weights[index] + np.asarray(far, weights[index].dtype)
        model.set_weights(moved)
        found.append(keras.ops.convert_to_numpy(model(inputs, training=False)))
    model.set_weights(weights)
    outputs = np.asarray(found, np.float64)
    if np.ptp(outputs) == 0.0:
        return None
    return bool((outputs >= 0.0).all() and (outputs <= 1.0).all())
