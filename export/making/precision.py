"""What no layer of a model may do that becomes a file: compute in another precision, remember."""

import contextlib
from collections.abc import Iterator

import keras

from ecavg_tf.core.errors import ExportError

_BY_KERAS = ("int8", "float8")  # modes of Keras' own quantization that files don't have
_OTHERS = ("float16", "bfloat16", "float64")  # than float32; files compute in none of them


@contextlib.contextmanager
def computed_in_float32(model: keras.Model) -> Iterator[None]:
    """While it lasts, layers of another precision compute in float32, which files can do.

    Their weights are float32 as they are, or they have none.

    Raises:
        ExportError: a layer has weights that are not float32, remembers the batch before, or was
            quantized by Keras.
    """
    layers = list(model._flatten_layers())
    for layer in layers:
        if fault := _fault(layer):
            raise ExportError(fault)
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


def _fault(layer: keras.layers.Layer) -> str | None:
    name = f"layer {layer.name!r} ({type(layer).__name__})"
    if getattr(layer, "stateful", False) is True:
        return (
            f"{name} is stateful, and a file begins anew with each input; build the model with "
            "stateful=False and keras.Input(shape), without a batch size, and load its weights"
        )
    mode = getattr(layer, "quantization_mode", None)
    if mode in _BY_KERAS and hasattr(layer, "kernel"):
        return (
            f"{name} was quantized to {mode} by Keras, which TFLite has no builtin operators for; "
            "export the model as it was before model.quantize(): the export quantizes it itself"
        )
    return None


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
