"""A model's outputs on arrays, without a data pipeline.

``Model.predict`` builds a ``tf.data`` pipeline for every call. A round asks for some dozens of
predictions, and on small data sets building pipelines took longer than all the rest.
"""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ecavg_tf.core.template import Array
from ecavg_tf.models.inputs import token_ids

_ROWS = 256  # examples a step; with more, a deep net's values leave the processor's cache
_VALUES = 2**22  # of the widest layer a step: a small net takes its data in few large steps
_MOST_ROWS = 8192


class Outputs:
    """Calls a model in inference mode, batch by batch, as ``Model.predict`` does.

    Args:
        model: the model; its weights may change between calls.
        batch_size: examples a step; None: as many as suit the model's size.
    """

    def __init__(self, model: keras.Model, batch_size: int | None = None) -> None:
        self._model = model
        self._batch_size = batch_size or rows_a_step(model)
        self._steps: dict[tuple[tuple[int, ...], str], Any] = {}

    def __call__(self, inputs: Array) -> Array:
        """Outputs of shape (n, …) for n > 0 examples; floats are cast to Keras' default float."""
        if np.issubdtype(inputs.dtype, np.floating):
            inputs = inputs.astype(keras.config.floatx(), copy=False)
        step, size = self._step(inputs), self._batch_size
        with token_ids():
            parts = [step(inputs[at : at + size]).numpy() for at in range(0, len(inputs), size)]
        return np.concatenate(parts)

    def _step(self, inputs: Array) -> Any:
        key = (inputs.shape[1:], inputs.dtype.name)
        if key not in self._steps:
            # One trace for every batch size.
            spec = tf.TensorSpec((None, *inputs.shape[1:]), inputs.dtype)
            self._steps[key] = tf.function(
                lambda batch: self._model.predict_step((batch,)), input_signature=[spec]
            )
        return self._steps[key]


def rows_a_step(model: keras.Model) -> int:
    """How many examples a model answers in one step: a rule of its architecture alone."""
    widths = [1]
    for layer in model._flatten_layers(include_self=False):
        try:
            shape = layer.output.shape
        except (AttributeError, ValueError):  # not a layer of one call in a graph
            return _ROWS
        widths.append(math.prod(size or _ROWS for size in shape[1:]))
    return min(max(_ROWS, _VALUES // max(widths)), _MOST_ROWS)
