"""Whether a layer's code is Keras' own: a user's subclass may compute anything under any name."""

from typing import Any

import keras


def is_keras_own(layer: Any) -> bool:
    """Whether a layer or model is of a class that comes with Keras.

    A functional or sequential model is, whatever layers it holds.
    """
    return type(layer).__module__.startswith("keras.")


def of_keras_alone(model: keras.Model) -> bool:
    """Whether a model and all layers in it, at any depth, are Keras' own."""
    return all(is_keras_own(layer) for layer in model._flatten_layers())
