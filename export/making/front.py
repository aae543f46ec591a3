"""The rescaling of features that a model begins with, which an int8 file leaves to its reader."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ecavg_tf.core.bundles.scaling import FeatureScaling
from ecavg_tf.core.template import Array
from export.making.head import nodes_of, outputs_of

_RANKS = (2, 3)  # with the batch: tables and signals


@dataclass(frozen=True)
class Front:
    """A model, taken apart behind its first layer.

    Attributes:
        scaling: what the first layer does.
        rest: the other layers, as a model that shares them.
    """

    scaling: FeatureScaling
    rest: keras.Model


def front_of(model: keras.Model) -> Front | None:
    """Takes a model apart that begins with a ``Rescaling`` or ``Normalization`` of features.

    Args:
        model: a built model.

    Returns:
        None where it begins with something else, or scales all values alike: that stays in the
        file.
    """
    outputs = outputs_of(model)
    if outputs is None or len(model.inputs) != 1 or len(model.inputs[0].shape) not in _RANKS:
        return None
    entry = model.inputs[0]
    readers = [
        node for node in nodes_of(model) if any(tensor is entry for tensor in node.input_tensors)
    ]
    if len(readers) != 1:
        return None
    scaling = _scaling(readers[0].operation, int(entry.shape[-1]))
    if scaling is None:
        return None
    return Front(scaling, keras.Model(readers[0].output_tensors[0], outputs[0]))


def _scaling(layer: Any, features: int) -> FeatureScaling | None:
    if type(layer) is keras.layers.Rescaling:
        scale, offset = np.asarray(layer.scale), np.asarray(layer.offset)
    elif type(layer) is keras.layers.Normalization and not layer.invert:
        mean, variance = (np.asarray(keras.ops.convert_to_numpy(v)) for v in _moments(layer))
        scale = 1.0 / np.maximum(np.sqrt(variance), keras.backend.epsilon())
        offset = -mean * scale
    else:
        return None
    scale, offset = np.atleast_1d(scale), np.atleast_1d(offset)
    if max(scale.size, offset.size) == 1 or {*_last(scale), *_last(offset)} - {1, features}:
        return None
    return FeatureScaling(_listed(scale, features), _listed(offset, features))


def _moments(layer: keras.layers.Normalization) -> tuple[Any, Any]:
    return layer.mean, layer.variance


def _last(values: Array) -> tuple[int, ...]:
    """The size of the last axis; others must be 1 to be no more than features."""
    return (values.shape[-1],) if values.size == values.shape[-1] else (-1,)


def _listed(values: Array, features: int) -> tuple[float, ...]:
    return tuple(np.broadcast_to(values.reshape(-1), (features,)).astype(float).tolist())
