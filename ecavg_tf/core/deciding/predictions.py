"""What a model predicts for labelled examples, and whether it is right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.template import Array
from ecavg_tf.core.two_classes import class_columns

SMALLEST_PROBABILITY = 1e-7  # Keras' epsilon: a loss stays finite


@dataclass(frozen=True)
class Predictions:
    """What a model predicts for each example.

    Attributes:
        log_likelihood: log-probability of the true class, shape (n,), float64, nats.
        correct: whether the most probable class was the true one, shape (n,), bool.
    """

    log_likelihood: NDArray[np.float64]
    correct: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.correct)

    def take(self, indices: NDArray[np.int64]) -> "Predictions":
        """The predictions at ``indices``."""
        return Predictions(self.log_likelihood[indices], self.correct[indices])


def compare_with_labels(outputs: Array, labels: NDArray[np.int64], *, logits: bool) -> Predictions:
    """Turns a model's outputs into log-likelihoods and hits.

    Outputs that are NaN count as a wrong answer of the smallest probability.

    Args:
        outputs: shape (n, classes), or (n, 1) of two classes: probabilities, or logits.
        labels: shape (n,).
        logits: whether ``outputs`` are logits.
    """
    values = class_columns(np.asarray(outputs, np.float64), logits=logits)
    lowest = -np.inf if logits else 0.0  # a logit of -inf is a class that was masked
    sound = np.asarray(((values >= lowest) & (values < np.inf)).all(axis=1))
    sound &= np.isfinite(values).any(axis=1)
    values = np.where(sound[:, np.newaxis], values, 0.0)
    if logits:
        values = values - values.max(axis=1, keepdims=True)
        values = np.exp(values)
        values /= values.sum(axis=1, keepdims=True)
    likelihood = np.where(sound, values[np.arange(len(labels)), labels], 0.0)
    return Predictions(
        log_likelihood=np.log(np.clip(likelihood, SMALLEST_PROBABILITY, 1.0)),
        correct=sound & (values.argmax(axis=1) == labels),
    )
