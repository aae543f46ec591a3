"""Decides whether a user's own model takes raw pixels, or gets a layer that rescales them."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import DataSpec

_SMALL = 1.0  # what layers are initialised for
_HARMLESS = 16.0  # the range of the embedded digits, which nets of any kind learn from
_OWN_SCALE = (  # layers that don't mind the scale of what they get
    keras.layers.BatchNormalization,
    keras.layers.Embedding,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.Normalization,
)


def rescaling(spec: DataSpec, low: float = 0.0, high: float = 1.0) -> keras.layers.Layer:
    """A layer from the data set's value range to [low, high]: devices feed raw values."""
    lowest, highest = spec.value_range
    scale = (high - low) / (highest - lowest)
    return keras.layers.Rescaling(scale, offset=low - lowest * scale)


def raw_pixels_note(model: keras.Model, spec: DataSpec) -> str | None:
    """A line on a model whose layers get large pixels as they are; None: nothing to say."""
    if max(map(abs, spec.value_range)) <= _HARMLESS:
        return None
    layer = meets_raw_pixels(model, spec)
    if layer is None:
        return None
    low, high = spec.value_range
    return (
        f"model {model.name!r} does not rescale its images: layer {layer!r} gets values from "
        f"{low:g} to {high:g}, from which most models learn badly; begin the model with a "
        "Rescaling layer made of spec.value_range, or set model.rescale=auto, which adds one and "
        "exports with it"
    )


def meets_raw_pixels(model: keras.Model, spec: DataSpec) -> str | None:
    """The first layer with weights, where it gets pixels of a wide range as they are.

    Found by trying, so it holds for subclassed models and for models that divide by 255
    themselves. Layers that bring their own scale, such as BatchNormalization, count as fine.

    Args:
        model: a built model; its weights and states are as before afterwards.
        spec: what it gets.

    Returns:
        The layer's name; None: there is no such layer.
    """
    low, high = spec.value_range
    if max(abs(low), abs(high)) <= _SMALL:
        return None
    # Images of one value each: what pools, pads or resizes them does not hide their range.
    inputs = np.stack([np.full(spec.input_shape, value, np.float32) for value in (low, high)])
    states = model.get_weights()
    with _first_with_weights() as first:
        model(inputs, training=False)
    model.set_weights(states)
    if not first or isinstance(first[0][0], _OWN_SCALE):
        return None
    layer, got = first[0]
    width = high - low
    as_wide = np.ptp(got) > width / 2
    centred = got.min() < low - width / 4  # as ResNet50's own preprocessing does
    return str(layer.name) if as_wide and not centred else None


@contextlib.contextmanager
def _first_with_weights() -> Iterator[list[tuple[Any, Array]]]:
    """Notes which layer with weights of its own is called first, and with what."""
    found: list[tuple[Any, Array]] = []
    original = keras.layers.Layer.__call__

    def watched(layer: Any, *inputs: Any, **options: Any) -> Any:
        if not found and inputs and _is_leaf(layer) and not isinstance(inputs[0], list | dict):
            found.append((layer, np.asarray(keras.ops.convert_to_numpy(inputs[0]))))
        return original(layer, *inputs, **options)

    keras.layers.Layer.__call__ = watched
    try:
        yield found
    finally:
        keras.layers.Layer.__call__ = original


def _is_leaf(layer: Any) -> bool:
    """Whether a layer with weights is one of Keras' own, or has no layers inside it."""
    if not layer.weights or isinstance(layer, keras.Model):
        return False
    inside = list(layer._flatten_layers(include_self=False))
    return not inside or type(layer).__module__.startswith("keras.")


def rescaled(model: keras.Model, spec: DataSpec) -> keras.Model:
    """The same model behind a layer that rescales raw pixels to [0, 1].

    Its layers and weights are those of ``model``; sequential and functional models keep
    their layers side by side, others become a layer.
    """
    inputs = keras.Input(spec.input_shape)
    pixels = rescaling(spec)(inputs)
    # Called as a layer, a model becomes one; its own call() lays its layers side by side.
    apart = type(model).__module__.startswith("keras.")
    outputs = model.call(pixels) if apart else model(pixels)
    return keras.Model(inputs, outputs, name=model.name)
