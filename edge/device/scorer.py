"""Scores models on a device, on its own test examples."""

from collections import OrderedDict
from collections.abc import Sequence

from ecavg_tf.core.by_class import Hits, hits_of
from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.reweighting import score
from ecavg_tf.core.scores import Scores
from ecavg_tf.core.template import Array, weights_sha256
from ecavg_tf.data.dataset import Examples
from edge.device.learner import DeviceTrainer

_REMEMBERED = 8  # models: the local one is asked for again when the edge decides


class DeviceScorer:
    """Scores on a device's own test examples, if it has any; it knows no others.

    Args:
        trainer: predicts.
    """

    def __init__(self, trainer: DeviceTrainer) -> None:
        self._trainer = trainer
        # With the examples, which keeps them alive: by their id they are known.
        self._known: OrderedDict[tuple[str, int], tuple[Examples, Predictions]] = OrderedDict()

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
        return Scores(own=score(self._once(own, weights)), all=None)

    def hits(
        self, weights: Sequence[Array], class_counts: Sequence[int], own: Examples | None = None
    ) -> Hits | None:
        """Right answers by class on the device's own test set; None: it has none."""
        if own is None or len(own) == 0:
            return None
        return hits_of(own.labels, self._once(own, weights).correct, [1] * len(class_counts))

    def _once(self, own: Examples, weights: Sequence[Array]) -> Predictions:
        """The same model is not asked again."""
        key = weights_sha256(weights), id(own)
        if key not in self._known:
            self._known[key] = own, self._trainer.predictions(weights, own)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key][1]
