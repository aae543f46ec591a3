"""From raw images to class probabilities, in any format a bundle can have."""

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.bundles.quantization import softmax
from ecavg_tf.core.template import Array
from edge.device.runtime import Model

_AT_ONCE = 64  # where the model takes any number


def predict_probabilities(model: Model, inputs: Array, output_kind: str) -> NDArray[np.float32]:
    """Class probabilities, shape (n, classes), float32.

    Args:
        model: a loaded model.
        inputs: raw images, shape (n, …), of the shape that the model takes.
        output_kind: ``probabilities`` or ``logits``.
    """
    step = model.at_once or _AT_ONCE
    parts: list[NDArray[np.float32]] = []
    for at in range(0, len(inputs), step):
        chunk = inputs[at : at + step]
        wanted = len(chunk)
        if model.at_once and wanted < step:  # a fixed batch is filled up with zeros
            filling = np.zeros((step - wanted, *chunk.shape[1:]), chunk.dtype)
            chunk = np.concatenate([chunk, filling])
        parts.append(model.answers(chunk)[:wanted])
    if not parts:
        return np.zeros((0, model.output.shape[-1]), np.float32)
    answers = np.concatenate(parts)
    return softmax(answers).astype(np.float32) if output_kind == "logits" else answers
