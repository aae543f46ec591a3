"""The built-in model for signals."""

import keras

from ecavg_tf.config import ModelConfig
from ecavg_tf.core.errors import ModelError
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.models.rescaling import rescaling

_LEAST_STEPS = 8  # what two convolutions of stride 2 leave something of


def conv1d(spec: DataSpec, config: ModelConfig) -> keras.Model:
    """Two convolutions over time, global pooling and a softmax, for signals.

    Small enough for a microcontroller, and of operators that tflite-micro has. A row of numbers
    is a signal of one channel.
    """
    del config
    shape = spec.input_shape[:-1] if spec.input_shape[2:] == (1,) else spec.input_shape
    if len(shape) > 2 or shape[0] < _LEAST_STEPS:
        raise ModelError(
            f"model conv1d takes signals of shape (time, channels), {_LEAST_STEPS} steps or more; "
            f"{spec.name!r} has inputs of shape {spec.input_shape}; use model.name=mlp"
        )
    return keras.Sequential(
        [
            keras.Input(spec.input_shape),
            rescaling(spec),
            keras.layers.Reshape(shape if len(shape) == 2 else (*shape, 1)),
            keras.layers.Conv1D(16, 5, strides=2, padding="same", activation="relu"),
            keras.layers.Conv1D(32, 5, strides=2, padding="same", activation="relu"),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(spec.num_classes, activation="softmax"),
        ],
        name="conv1d",
    )
