"""Scoring a model on the global test set, and on an edge's own mix of it."""

from collections import OrderedDict
from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.predictions import Predictions, judge
from ecavg_tf.core.scores import Score, Scores
from ecavg_tf.core.template import Array, weights_sha256
from ecavg_tf.data.dataset import Examples


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


class Evaluator:
    """Scores lists of weights with one model on one test set.

    Args:
        model: the model that the weights are set on.
        test: the test examples.
        logits: whether the model gives logits.
        batch_size: examples a prediction step.
    """

    def __init__(
        self, model: keras.Model, test: Examples, *, logits: bool, batch_size: int = 256
    ) -> None:
        self._model = model
        self._test = test
        self._logits = logits
        self._batch_size = batch_size
        # Every edge asks for the same start and global models: a few are remembered.
        self._remembered: OrderedDict[str, Predictions] = OrderedDict()

    def predictions(self, weights: Sequence[Array]) -> Predictions:
        """What the model says of each test example under ``weights``."""
        key = weights_sha256(weights)
        if key not in self._remembered:
            self._remembered[key] = self.predictions_on(self._test, weights)
            if len(self._remembered) > 4:
                self._remembered.popitem(last=False)
        self._remembered.move_to_end(key)
        return self._remembered[key]

    def predictions_on(self, examples: Examples, weights: Sequence[Array]) -> Predictions:
        """What the model says of other examples, for example an edge's guard set."""
        if len(examples) == 0:
            return Predictions(np.zeros(0), np.zeros(0, np.bool_))
        self._model.set_weights(weights)
        outputs = self._model.predict(examples.images, batch_size=self._batch_size, verbose=0)
        return judge(outputs, examples.labels, logits=self._logits)

    def all(self, weights: Sequence[Array]) -> Score:
        """Score on the global test set."""
        return score(self.predictions(weights))

    def scores(self, weights: Sequence[Array], class_counts: Sequence[int]) -> Scores:
        """Score on both test distributions of an edge with ``class_counts``."""
        predictions = self.predictions(weights)
        mix = own_weights(class_counts, self._test.labels)
        return Scores(own=None if mix is None else score(predictions, mix), all=score(predictions))
