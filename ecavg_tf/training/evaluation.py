"""Scoring a model on the global test set, and on an edge's own mix of it."""

from collections import OrderedDict
from collections.abc import Sequence

import keras
import numpy as np

from ecavg_tf.core.by_class import Hits, hits_of
from ecavg_tf.core.deciding.predictions import Predictions, compare_with_labels
from ecavg_tf.core.messages.probe import Probe, as_probe, probe_inputs
from ecavg_tf.core.reweighting import own_weights, score
from ecavg_tf.core.scores import Score, Scores
from ecavg_tf.core.template import Array, weights_sha256
from ecavg_tf.core.two_classes import class_probabilities
from ecavg_tf.data.dataset import DataSpec, Examples
from ecavg_tf.models.assigning import set_weights
from ecavg_tf.models.outputs import Outputs

_REMEMBERED = 2**26  # bytes: an edge's local model is asked for again when it decides
_EXAMPLE = 9  # bytes of a prediction


class KerasScorer:
    """Scores lists of weights with one model on one test set.

    Args:
        model: the model that the weights are set on.
        test: the test examples; empty: nothing can be measured on them.
        logits: whether the model gives logits.
        batch_size: examples a prediction step; None: as many as suit the model's size.

    Attributes:
        predicted: examples that it went through, every pass over one counted.
    """

    def __init__(
        self, model: keras.Model, test: Examples, *, logits: bool, batch_size: int | None = None
    ) -> None:
        self._model = model
        self._test = test
        self._logits = logits
        self._outputs = Outputs(model, batch_size)
        self.predicted = 0
        # With the examples, which keeps them alive: by their id they are known.
        self._held = 0  # bytes
        self._remembered: OrderedDict[tuple[str, int], tuple[Examples, Predictions]] = OrderedDict()

    @property
    def outputs(self) -> Outputs:
        """Answers with the weights that the model has, by what scoring has traced already."""
        return self._outputs

    @property
    def has_test(self) -> bool:
        """Whether there is a test example at all."""
        return len(self._test) > 0

    def predictions(self, weights: Sequence[Array]) -> Predictions:
        """What the model says of each test example under ``weights``."""
        return self._once(self._test, weights, weights_sha256(weights))

    def _once(self, examples: Examples, weights: Sequence[Array], sha256: str) -> Predictions:
        """Each distinct model goes through the same examples once, whoever asks again."""
        key = (sha256, id(examples))
        if key not in self._remembered:
            self._remembered[key] = examples, self.predictions_on(examples, weights)
            self._held += _EXAMPLE * len(examples)
            while self._held > _REMEMBERED and len(self._remembered) > 1:
                _, (dropped, _) = self._remembered.popitem(last=False)
                self._held -= _EXAMPLE * len(dropped)
        self._remembered.move_to_end(key)
        return self._remembered[key][1]

    def predictions_on(self, examples: Examples, weights: Sequence[Array]) -> Predictions:
        """What the model says of other examples, for example an edge's guard set."""
        if len(examples) == 0:
            return Predictions(np.zeros(0), np.zeros(0, np.bool_))
        return compare_with_labels(
            self.answers(examples, weights), examples.labels, logits=self._logits
        )

    def answers(self, examples: Examples, weights: Sequence[Array]) -> Array:
        """What the model gives for examples, shape (n, classes); n is above 0."""
        self.predicted += len(examples)
        set_weights(self._model, weights)
        return self._outputs(examples.inputs)

    def probabilities(self, examples: Examples, weights: Sequence[Array]) -> Array:
        """What the model finds likely for examples, shape (n, classes); n is above 0."""
        return class_probabilities(self.answers(examples, weights), logits=self._logits)

    def probe(self, weights: Sequence[Array], spec: DataSpec) -> Probe | None:
        """The model's answers to ``core.probe``'s inputs under ``weights``; None: some are NaN."""
        set_weights(self._model, weights)
        inputs = probe_inputs(spec.input_shape, spec.bounds, spec.dtype)
        outputs = self._outputs(inputs)
        return as_probe(class_probabilities(outputs, logits=self._logits))

    def all(self, weights: Sequence[Array]) -> Score | None:
        """Score on the global test set; None: there is none."""
        return score(self.predictions(weights)) if self.has_test else None

    def scores(
        self, weights: Sequence[Array], class_counts: Sequence[int], own: Examples | None = None
    ) -> Scores:
        """Score on both test distributions of an edge.

        Args:
            weights: of the model.
            class_counts: the edge's label mix, which weighs the global test set.
            own: the edge's own test set, which takes the place of that; None: it has none.
        """
        sha256 = weights_sha256(weights)
        said = self._once(self._test, weights, sha256) if self.has_test else None
        everything = None if said is None else score(said)
        if own is not None and len(own) > 0:
            return Scores(own=score(self._once(own, weights, sha256)), all=everything)
        mix = None if said is None else own_weights(class_counts, self._test.labels)
        mine = None if said is None or mix is None else score(said, mix)
        return Scores(own=mine, all=everything)

    def hits(
        self, weights: Sequence[Array], class_counts: Sequence[int], own: Examples | None = None
    ) -> Hits | None:
        """Right answers by class on what an edge's own score is measured on.

        A model that was scored before is not asked again.

        Args:
            weights: of the model.
            class_counts: the edge's label mix; classes of the test set that it lacks are left out.
            own: the edge's own test set, of which no class is left out; None: it has none.
        """
        test, kept = self._test, class_counts
        if own is not None and len(own) > 0:
            test, kept = own, [1] * len(class_counts)
        if len(test) == 0:
            return None
        said = self._once(test, weights, weights_sha256(weights))
        return hits_of(test.labels, said.correct, kept)
