"""A Keras model as a SavedModel, which the converter reads, with the scopes of layers numbered."""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.stderr import held_back_stderr
from ecavg_tf.models.keras_words import explained
from export.making.translation import Layer

INPUT, OUTPUT = "image", "output"
_SIGNATURE = "serving_default"


def save_model(
    model: keras.Model, folder: Path, shape: tuple[int | None, ...], dtype: str
) -> tuple[str, ...]:
    """Writes a SavedModel whose one signature holds the variables.

    Converting a concrete function without an object that tracks its variables drops
    the weights silently.

    Args:
        model: a built Keras model with one input and one output.
        folder: where to.
        shape: of its input, with the batch; None: any size.
        dtype: of its input.

    Returns:
        The scopes of the graph's loops.

    Raises:
        ExportError: the model can't be traced.
    """
    holder = tf.Module()
    holder.weights = [variable.value for variable in model.variables]

    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {OUTPUT: tf.cast(model(image, training=False), tf.float32)}

    spec = tf.TensorSpec(shape, dtype, name=INPUT)
    holder.serve = tf.function(serve, input_signature=[spec], autograph=False)
    try:
        with quiet_conversion(), numbered(model):
            traced = holder.serve.get_concrete_function()
            tf.saved_model.save(holder, str(folder), signatures={_SIGNATURE: traced})
    except Exception as error:  # Keras and TensorFlow raise many kinds
        raise ExportError(
            f"model {model.name!r} can't be traced for export: {type(error).__name__}: "
            f"{explained(error)}"
        ) from error
    operations = traced.graph.get_operations()
    return tuple(each.name for each in operations if each.type in ("While", "StatelessWhile"))


def layers_of(model: keras.Model) -> tuple[Layer, ...]:
    """The layers of a model, in the order in which ``numbered`` counts them."""
    return tuple(layer_as_told(layer) for layer in model._flatten_layers())


def layer_as_told(layer: keras.layers.Layer) -> Layer:
    """What a message says of a layer."""
    return Layer(layer.name, type(layer).__name__, hasattr(layer, "unroll") or _wraps(layer))


def _wraps(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.Bidirectional)


@contextlib.contextmanager
def numbered(model: keras.Model) -> Iterator[None]:
    """Numbers the scopes that layers open, by their position, while it lasts.

    A file holds the names of scopes, and Keras counts the names of layers up over a process: the
    same model built later would give other bytes. The layers keep their names, because a
    subclass may look them up in its call.
    """
    layers = list(model._flatten_layers())
    for number, layer in enumerate(layers):
        vars(layer)["_open_name_scope"] = _scope(layer, f"layer_{number}")
    try:
        yield
    finally:
        for layer in layers:
            vars(layer).pop("_open_name_scope", None)


def _scope(layer: keras.layers.Layer, name: str) -> Callable[[], Any]:
    def opened() -> Any:
        type(layer)._open_name_scope(layer)  # notes where the layer was called first
        return keras.name_scope(name, caller=layer)

    return opened


@contextlib.contextmanager
def quiet_conversion() -> Iterator[None]:
    """Hides the converter's C++ lines, and warnings that only its makers can act on."""
    with (
        held_back_stderr(told_on_failure=False),  # first: one thread at a time
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
