"""Decides whether a user's own model takes raw values, or gets a layer that rescales them."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.models.inputs import lowest_and_highest
from ecavg_tf.models.keras_own import is_keras_own

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
    """A layer from the data set's value range to [low, high]: devices feed raw values.

    Features that were measured each on its own come from their own ranges to [-1, 1], and one
    that never changes becomes 0.
    """
    if spec.feature_ranges:
        return _feature_rescaling(spec)
    lowest, highest = spec.value_range
    scale = (high - low) / (highest - lowest)
    return keras.layers.Rescaling(scale, offset=low - lowest * scale)


def _feature_rescaling(spec: DataSpec) -> keras.layers.Layer:
    """[-1, 1] and not [0, 1]: centred inputs train in a third of the epochs (breast cancer)."""
    scales = [2.0 / (high - low) if high > low else 0.0 for low, high in spec.feature_ranges]
    ends = zip(scales, spec.feature_ranges, strict=True)
    offsets = [-1.0 - low * scale if scale else 0.0 for scale, (low, _) in ends]
    return keras.layers.Rescaling(scales, offset=offsets)


def range_note(spec: DataSpec, *, tokens: bool) -> str | None:
    """A line on a range that nobody declared; None: it was declared.

    Args:
        spec: what the inputs are.
        tokens: whether the model takes them for token ids.
    """
    if spec.declared:
        return None
    low, high = spec.value_range
    what = f"data set {spec.name!r}: nobody declares the range of its values"
    if tokens:
        return (
            f"{what}; the model takes them for token ids, {low:g} to {high:g} in the training "
            "data, and gets them as they are"
        )
    if spec.feature_ranges:
        axis = "features" if len(spec.input_shape) == 1 else "channels"
        what += (
            f"; measured on the training data, each of the {len(spec.feature_ranges)} {axis} on "
            f"its own (together {low:g} to {high:g})"
        )
    elif (low, high) == (0.0, 1.0):
        return None  # what pictures of fractions are taken to have
    else:
        what += f"; measured on the training data: {low:g} to {high:g}"
    return (
        f"{what}. Inputs are rescaled from it, and values outside it are taken; to have them "
        "refused, declare value_range"
    )


def raw_values_note(model: keras.Model, spec: DataSpec) -> str | None:
    """A line on a model whose layers get large values as they are; None: nothing to say."""
    if max(map(abs, spec.value_range)) <= _HARMLESS or takes_tokens(model, spec):
        return None
    layer = meets_raw_values(model, spec)
    if layer is None:
        return None
    low, high = spec.value_range
    return (
        f"model {model.name!r} does not rescale its inputs: layer {layer!r} gets values from "
        f"{low:g} to {high:g}, from which most models learn badly; begin the model with a "
        "Rescaling layer made of spec.value_range, or set model.rescale=auto, which adds one and "
        "exports with it"
    )


def meets_raw_values(model: keras.Model, spec: DataSpec) -> str | None:
    """The first layer with weights, where it gets values of a wide range as they are.

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
    first = _first_layer(model, spec)
    if first is None or isinstance(first[0], _OWN_SCALE):
        return None
    layer, got = first
    width = high - low
    as_wide = np.ptp(got) > width / 2
    centred = got.min() < low - width / 4  # as ResNet50's own preprocessing does
    return str(layer.name) if as_wide and not centred else None


def takes_tokens(model: keras.Model, spec: DataSpec) -> bool:
    """Whether a model takes rows of whole numbers for token ids, and not for a table.

    It does if its ``Input`` has an integer dtype, or its first layer with weights is an Embedding.

    Args:
        model: a built model; its weights and states are as before afterwards.
        spec: what it gets.
    """
    if not spec.may_be_tokens:
        return False
    declared = getattr(model, "_inputs", None) or ()
    if declared and np.issubdtype(np.dtype(declared[0].dtype), np.integer):
        return True
    first = _first_layer(model, spec)
    return first is not None and isinstance(first[0], keras.layers.Embedding)


def _first_layer(model: keras.Model, spec: DataSpec) -> tuple[Any, Array] | None:
    """The first layer with weights that a model calls, and what it gets of two inputs."""
    states = model.get_weights()
    # Token ids beyond the vocabulary fail in the layer that is looked for; whoever needs the
    # model's answers sees that.
    with first_with_weights() as first, contextlib.suppress(Exception):
        # Inputs of one value each: what pools, pads or resizes them does not hide their range.
        model(lowest_and_highest(spec), training=False)
    model.set_weights(states)
    return first[0] if first else None


@contextlib.contextmanager
def first_with_weights(
    beyond: tuple[type[keras.layers.Layer], ...] = (),
) -> Iterator[list[tuple[Any, Array]]]:
    """Notes which layer with weights of its own is called first, and with what.

    Args:
        beyond: layers of these kinds do not count.
    """
    found: list[tuple[Any, Array]] = []
    original = keras.layers.Layer.__call__

    def watched(layer: Any, *inputs: Any, **options: Any) -> Any:
        if not found and inputs and _takes_one(layer, inputs[0]) and not isinstance(layer, beyond):
            found.append((layer, np.asarray(keras.ops.convert_to_numpy(inputs[0]))))
        return original(layer, *inputs, **options)

    keras.layers.Layer.__call__ = watched
    try:
        yield found
    finally:
        keras.layers.Layer.__call__ = original


def _takes_one(layer: Any, given: Any) -> bool:
    return _is_leaf(layer) and not isinstance(given, list | dict)


def _is_leaf(layer: Any) -> bool:
    """Whether a layer with weights is one of Keras' own, or has no layers inside it."""
    if not layer.weights or isinstance(layer, keras.Model):
        return False
    inside = list(layer._flatten_layers(include_self=False))
    return not inside or is_keras_own(layer)


def rescaled(model: keras.Model, spec: DataSpec) -> keras.Model:
    """The same model behind a layer that rescales raw values to [0, 1].

    Its layers and weights are those of ``model``; sequential and functional models keep
    their layers side by side, others become a layer.
    """
    inputs = keras.Input(spec.input_shape)
    values = rescaling(spec)(inputs)
    # Called as a layer, a model becomes one; its own call() lays its layers side by side.
    outputs = model.call(values) if is_keras_own(model) else model(values)
    return keras.Model(inputs, outputs, name=model.name)
