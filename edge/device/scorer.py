"""Scores models on a device, on its own test examples."""

from collections.abc import Sequence

from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.reweighting import score
from ecavg_tf.core.scores import Scores
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Examples
from edge.device.learner import DeviceTrainer


class DeviceScorer:
    """Scores on a device's own test examples, if it has any; it knows no others.

    Args:
        trainer: predicts.
    """

    def __init__(self, trainer: DeviceTrainer) -> None:
        self._trainer = trainer

    def predictions_on(self, examples: Examples, weights: Sequence[Array]) -> Predictions:
        """What the model says of examples under ``weights``."""
        return self._trainer.predictions(weights, examples)

    def scores(
        self, weights: Sequence[Array], class_counts: Sequence[int], own: Examples | None = None
    ) -> Scores:
        """Scores on the device's own test set; None: it has none."""
        del class_counts  # they weigh a test set that is not its own
        if own is None or len(own) == 0:
            return Scores(None, None)
        return Scores(own=score(self._trainer.predictions(weights, own)), all=None)
