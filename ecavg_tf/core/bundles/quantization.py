"""Quantizes and dequantizes tensors, and turns logits into probabilities."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.bundles.bundle import TensorSpec
from ecavg_tf.core.template import Array


def tensor_spec(detail: Mapping[str, Any]) -> TensorSpec:
    """An input or output tensor, from what a TFLite interpreter tells of it."""
    scale, zero_point = detail["quantization"]
    quantized = np.issubdtype(detail["dtype"], np.integer) and scale > 0
    return TensorSpec(
        shape=tuple(int(size) for size in detail["shape_signature"]),
        dtype=np.dtype(detail["dtype"]).name,
        scale=float(scale) if quantized else None,
        zero_point=int(zero_point) if quantized else None,
    )


def quantize(inputs: Array, spec: TensorSpec) -> Array:
    """Raw images as the input tensor wants them."""
    values = np.asarray(inputs, np.float32)
    if spec.scale is None or spec.zero_point is None:
        return values.astype(spec.dtype)
    limits = np.iinfo(np.dtype(spec.dtype))
    steps = np.round(values / np.float32(spec.scale)) + spec.zero_point
    return np.asarray(np.clip(steps, limits.min, limits.max), spec.dtype)


def dequantize(values: Array, spec: TensorSpec) -> NDArray[np.float32]:
    """The output tensor as real numbers."""
    if spec.scale is None or spec.zero_point is None:
        return values.astype(np.float32)
    real = (values.astype(np.float32) - np.float32(spec.zero_point)) * np.float32(spec.scale)
    return np.asarray(real, np.float32)


def softmax(logits: Array) -> NDArray[np.float64]:
    """Probabilities of shape (n, classes) from logits of that shape."""
    shifted = np.exp(np.asarray(logits, np.float64) - np.max(logits, axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
