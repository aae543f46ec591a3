"""Scores models on a device, on its own test examples."""

from collections.abc import Sequence

from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.reweighting import own_weights, score
from ecavg_tf.core.scores import Scores
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Examples
from edge.device.learner import DeviceTrainer


class DeviceScorer:
    """Scores on a device's own test examples, if it has any.

    Args:
        trainer: predicts.
        test: labelled images that are used for nothing else; None: nothing is scored.
    """

    def __init__(self, trainer: DeviceTrainer, test: Examples | None) -> None:
        self._trainer = trainer
        self._test = test

    def predictions_on(self, examples: Examples, weights: Sequence[Array]) -> Predictions:
        """What the model says of examples under ``weights``."""
        return self._trainer.predictions(weights, examples)

    def scores(
        self, weights: Sequence[Array], class_counts: Sequence[int], own: Examples | None = None
    ) -> Scores:
        """Scores on the test examples, and on them weighed by the edge's label mix."""
        del own  # its test examples are its own
        if self._test is None or len(self._test) == 0:
            return Scores(None, None)
        predictions = self._trainer.predictions(weights, self._test)
        mix = own_weights(class_counts, self._test.labels)
        mine = None if mix is None else score(predictions, mix)
        return Scores(own=mine, all=score(predictions))
