"""A binary classifier with one output, seen as two classes: the one place where that is done.

A sigmoid gives the probability p of the second class; the first has 1 - p. A logit z of the
second class is the same as the two logits -z/2 and z/2: a softmax sees their difference alone.
So the binary cross-entropy of one output is the cross-entropy of the two columns made here.
"""

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.bundles.quantization import softmax
from ecavg_tf.core.template import Array

_LOGITS = {False: "logits", True: "logit_of_second"}
_PROBABILITIES = {False: "probabilities", True: "probability_of_second"}


def class_columns(outputs: Array, *, logits: bool) -> Array:
    """A model's outputs with one column a class.

    Args:
        outputs: shape (n, classes), which is returned as it is, or (n, 1).
        logits: whether they are logits.

    Returns:
        Shape (n, classes), of the kind and the dtype of ``outputs``.
    """
    if outputs.ndim != 2 or outputs.shape[1] != 1:
        return outputs
    other = -outputs / 2 if logits else 1 - outputs
    return np.concatenate([other, outputs / 2 if logits else outputs], axis=1)


def class_probabilities(outputs: Array, *, logits: bool) -> Array:
    """Probabilities of shape (n, classes) from a model's outputs, see ``class_columns``."""
    columns = class_columns(outputs, logits=logits)
    return softmax(columns) if logits else columns


def bias_shift(shift: NDArray[np.float64], bias: Array) -> NDArray[np.float64]:
    """What to add to a head's bias so that its logits move by ``shift``.

    Args:
        shift: nats, shape (classes,).
        bias: shape (classes,), or (1,) of one output: its logit is that of the second class
            against the first, so it moves by the difference of the two.
    """
    return shift[1:] - shift[:1] if bias.shape == (1,) else shift


def output_kind(*, logits: bool, one_output: bool) -> str:
    """The word that a file's description has for its output."""
    return (_LOGITS if logits else _PROBABILITIES)[one_output]


def of_one_output(kind: str) -> bool:
    """Whether an output of this kind is one number for two classes."""
    return kind in (_LOGITS[True], _PROBABILITIES[True])


def are_logits(kind: str) -> bool:
    """Whether an output of this kind is made of logits."""
    return kind in _LOGITS.values()
