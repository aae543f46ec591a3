"""The head alone, for features that a frozen backbone gave once (``benchmarks/features.py``)."""

import keras

from ecavg_tf.data.dataset import DataSpec


def linear(spec: DataSpec) -> keras.Model:
    """A softmax layer: what ``model.train=head`` trains of a built-in model.

    Args:
        spec: of the features.
    """
    return keras.Sequential(
        [
            keras.Input(spec.input_shape),
            keras.layers.Dense(spec.num_classes, activation="softmax", name="head"),
        ]
    )
