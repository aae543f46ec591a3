"""Scores of predictions, on a test set as it is or re-weighted to an edge's own mix of classes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.scores import Score


def own_weights(
    class_counts: Sequence[int], labels: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Importance weights that give the test set an edge's label mix.

    Example i weighs p_edge(y_i) / p_test(y_i), so the weighted test set has the
    edge's class frequencies (label-shift re-weighting). Classes that the test set
    lacks can't be weighed; the others keep their proportions.

    Args:
        class_counts: the edge's examples of each class.
        labels: the test labels, shape (n,).

    Returns:
        Weights of shape (n,) that sum to 1, or None when no test example is of a
        class that the edge has.
    """
    counts = np.asarray(class_counts, np.float64)
    in_test = np.bincount(labels, minlength=len(counts))
    per_example = np.divide(counts, in_test, out=np.zeros_like(counts), where=in_test > 0)
    weights: NDArray[np.float64] = per_example[labels]
    total = weights.sum()
    return weights / total if total > 0 else None


def score(predictions: Predictions, weights: NDArray[np.float64] | None = None) -> Score:
    """Accuracy and loss, weighted by example where weights (summing to 1) are given."""
    if weights is None:
        accuracy = float(predictions.correct.mean())
        loss = -float(predictions.log_likelihood.mean())
        return Score(accuracy, loss + 0.0, len(predictions.correct))
    return Score(
        accuracy=min(1.0, float(weights @ predictions.correct)),  # weights sum to 1 ± 1e-15
        loss=-float(weights @ predictions.log_likelihood) + 0.0,  # + 0.0: no -0.0
        n=int(np.count_nonzero(weights)),
    )
