"""Precisions other than float32, which files can't compute in."""

import contextlib
from collections.abc import Iterator

import keras

from ecavg_tf.core.errors import ExportError

_OTHERS = ("float16", "bfloat16", "float64")  # than float32; files compute in none of them


@contextlib.contextmanager
def computed_in_float32(model: keras.Model) -> Iterator[None]:
    """While it lasts, layers of another precision compute in float32, which files can do.

    Their weights are float32 as they are, or they have none.

    Raises:
        ExportError: a layer has weights that are not float32.
    """
    layers = list(model._flatten_layers())
    for layer in layers:
        own = {variable.dtype for variable in layer._trainable_variables}
        own |= {variable.dtype for variable in layer._non_trainable_variables}
        if found := own & set(_OTHERS):
            raise ExportError(_not_built_in(layer, found.pop()))
    mixed = [layer for layer in layers if getattr(layer, "compute_dtype", None) in _OTHERS]
    kept = [layer._dtype_policy for layer in mixed]
    try:
        for layer in mixed:
            layer._dtype_policy = keras.dtype_policies.DTypePolicy("float32")
        if mixed:
            model.predict_function = None  # what it traced computes as before
        yield
    finally:
        for layer, policy in zip(mixed, kept, strict=True):
            layer._dtype_policy = policy
        if mixed:
            model.predict_function = None


def _not_built_in(layer: keras.layers.Layer, dtype: str) -> str:
    does = "computes in" if dtype == "float64" else "has weights in"
    return (
        f"layer {layer.name!r} {does} {dtype}, which TFLite has no builtin operators for; build "
        "the model under keras.config.set_dtype_policy('float32') ('floatx' in keras.json sets "
        "it, too) and load its weights"
    )


def check_precision(model: keras.Model) -> None:
    """Refuses other precisions, which the converter answers with pages of its own internals.

    Raises:
        ExportError: a layer computes in one.
    """
    for layer in model._flatten_layers():
        if getattr(layer, "compute_dtype", "float32") in ("float16", "bfloat16", "float64"):
            raise ExportError(
                f"layer {layer.name!r} computes in {layer.compute_dtype}, which TFLite has no "
                "builtin operators for; build the model under "
                "keras.config.set_dtype_policy('float32') and load its weights"
            )
