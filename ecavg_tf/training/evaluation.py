"""Scoring a model on the global test set, and on an edge's own mix of it."""

from collections import OrderedDict
from collections.abc import Sequence

import keras
import numpy as np

from ecavg_tf.core.bundles.quantization import softmax
from ecavg_tf.core.deciding.predictions import Predictions, compare_with_labels
from ecavg_tf.core.messages.probe import Probe, as_probe, probe_inputs
from ecavg_tf.core.reweighting import own_weights, score
from ecavg_tf.core.scores import Score, Scores
from ecavg_tf.core.template import Array, weights_sha256
from ecavg_tf.data.dataset import DataSpec, Examples
from ecavg_tf.models.outputs import Outputs


class KerasScorer:
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
        self._outputs = Outputs(model, batch_size)
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
        outputs = self._outputs(examples.inputs)
        return compare_with_labels(outputs, examples.labels, logits=self._logits)

    def probe(self, weights: Sequence[Array], spec: DataSpec) -> Probe:
        """The model's answers to ``core.probe``'s images under ``weights``."""
        self._model.set_weights(weights)
        inputs = probe_inputs(spec.input_shape, spec.value_range, spec.dtype)
        outputs = self._outputs(inputs)
        return as_probe(softmax(outputs) if self._logits else outputs)

    def all(self, weights: Sequence[Array]) -> Score:
        """Score on the global test set."""
        return score(self.predictions(weights))

    def scores(
        self, weights: Sequence[Array], class_counts: Sequence[int], own: Examples | None = None
    ) -> Scores:
        """Score on both test distributions of an edge.

        Args:
            weights: of the model.
            class_counts: the edge's label mix, which weighs the global test set.
            own: the edge's own test set, which takes the place of that; None: it has none.
        """
        predictions = self.predictions(weights)
        if own is not None and len(own) > 0:
            mine = score(self.predictions_on(own, weights))
            return Scores(own=mine, all=score(predictions))
        mix = own_weights(class_counts, self._test.labels)
        return Scores(own=None if mix is None else score(predictions, mix), all=score(predictions))
