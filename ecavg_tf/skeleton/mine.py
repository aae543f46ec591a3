"""My data and my model. Both functions below run as they are; put yours in their place."""

import keras
import numpy as np
from sklearn.datasets import load_digits


def data():
    """Returns (x_train, y_train), (x_test, y_test).

    Inputs are arrays of any shape (examples, …), here pictures of 8 by 8 pixels with values from
    0 to 1. Labels are integers from 0, or words. The test examples only measure: nothing is
    trained on them or chosen by them.
    """
    x, y = load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8, 1).astype(np.float32) / 16
    return (x[:1400], y[:1400]), (x[1400:], y[1400:])


def model(spec):
    """Returns an uncompiled keras.Model for spec.input_shape and spec.num_classes."""
    return keras.Sequential(
        [
            keras.Input(spec.input_shape),
            keras.layers.Flatten(),
            keras.layers.Dense(64, "relu"),
            keras.layers.Dense(spec.num_classes, "softmax"),
        ]
    )
