"""What a model's output is: probabilities or logits of classes, or one number for two classes."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.errors import ModelError
from ecavg_tf.core.template import Array
from ecavg_tf.models.keras_own import is_keras_own

_FAR = 30.0  # a logit moves by as much as the bias that is added to it; a sigmoid stays in 0..1
_SUM = 1e-3  # how far the sum of a softmax may be from 1


def has_one_output(model: keras.Model, inputs: Array) -> bool:
    """Whether a built model gives one number an example; see ``output_shape``."""
    shape = output_shape(model, inputs)
    return len(shape) == 2 and shape[1] == 1


def output_shape(model: keras.Model, inputs: Array) -> tuple[int | None, ...]:
    """The shape of what a built model gives, with the batch's axis.

    Args:
        model: its weights and states are as before afterwards.
        inputs: at least one, as the model takes them.
    """
    try:
        return tuple(model.output_shape)
    except AttributeError:  # Keras knows no graph of a subclassed model
        states = model.get_weights()
        shape = model(inputs[:1], training=False).shape
        model.set_weights(states)
        return tuple(shape)


def with_bare_output(model: keras.Model) -> keras.Model:
    """The same layers with the tensor alone that a model answers in a dictionary or a list.

    Args:
        model: any model; where it is no functional one, or has several outputs, it is given back.
    """
    if not is_keras_own(model) or isinstance(model, keras.Sequential):
        return model
    outputs: Sequence[Any] = model.outputs
    if len(outputs) != 1 or model.output is outputs[0]:
        return model
    return keras.Model(model.input, outputs[0], name=model.name)


def check_output(
    model: keras.Model, inputs: Array, outputs: Array, name: str, *, logits: bool
) -> None:
    """A softmax that is taken for logits, or logits for a softmax, trains to nonsense.

    Args:
        model: a built model that gives one number a class, or one of two classes; its weights
            are as before afterwards.
        inputs: a few, as the model takes them.
        outputs: what it gives for them.
        name: what the config calls it.
        logits: what the config says that it gives.

    Raises:
        ModelError: it gives something else.
    """
    if outputs.shape[1] == 1:
        seen = _moved_outputs(model, inputs)
        probabilities = all(map(_in_unit_range, seen))
        # A sigmoid that raw values saturate gives 1, too; but not whatever its weights are.
        if all((each == 1.0).all() for each in seen):
            raise ModelError(
                f"model.name={name!r} gives 1 for all inputs, as a softmax of one output does; end "
                "it in one sigmoid, or in a softmax of two"
            )
    else:
        probabilities = bool(
            (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1.0, atol=_SUM)
        )
        if not probabilities and _in_unit_range(outputs) and stays_in_unit_range(model, inputs):
            raise ModelError(
                f"model.name={name!r} gives {outputs.shape[1]} numbers in 0..1 that do not sum to "
                "1 (several sigmoids?), so an example could have several classes; ECAvg knows one "
                "class an example: end the model in a softmax, or for two classes in one sigmoid"
            )
    if probabilities == logits:
        gives, wanted = (
            ("probabilities", "logits") if probabilities else ("logits", "probabilities")
        )
        raise ModelError(
            f"model.name={name!r} gives {gives}, model.output is {wanted}; "
            f"set --config.model.output={gives}"
        )


def stays_in_unit_range(model: keras.Model, inputs: Array) -> bool:
    """Whether all outputs are in 0..1, whatever weights the last layer has.

    A few logits may lie in 0..1, too, so looking at outputs alone tells nothing. But with the
    last layer's weights moved far up or down, logits leave that range and a sigmoid does not.

    Args:
        model: a built model; its weights are as before afterwards.
        inputs: a few, as the model takes them.
    """
    return all(map(_in_unit_range, _moved_outputs(model, inputs)))


def _moved_outputs(model: keras.Model, inputs: Array) -> list[NDArray[np.float64]]:
    """The outputs as they are, and with the last layer's weights moved far up and far down."""
    weights, outputs = model.get_weights(), _outputs(model, inputs)
    ends = [
        index
        for index, variable in enumerate(model.weights)
        if variable.trainable and tuple(variable.shape)[-1:] == outputs.shape[1:]
    ]
    seen = [outputs]
    for far in (_FAR, -_FAR):
        moved = list(weights)
        for index in ends:
            moved[index] = weights[index] + np.asarray(far, weights[index].dtype)
        model.set_weights(moved)
        seen.append(_outputs(model, inputs))
    model.set_weights(weights)
    return seen


def _outputs(model: keras.Model, inputs: Array) -> NDArray[np.float64]:
    outputs = keras.ops.convert_to_numpy(model(inputs, training=False))
    return np.asarray(outputs, np.float64)


def _in_unit_range(outputs: Array) -> bool:
    return bool((outputs >= 0.0).all() and (outputs <= 1.0).all())
