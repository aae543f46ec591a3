"""What an edge can try out before it decides."""

from collections.abc import Sequence

from ecavg_tf.core.anatomy import Anatomy
from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import EdgeData
from edge.participating.protocols import Scorer, Trainer


class EdgeBench:
    """One edge's data and a model to try weights on, in one round.

    Args:
        data: what the edge has.
        trainer: holds the model.
        scorer: predicts with it.
        round_number: the round, from 1.
    """

    def __init__(
        self,
        data: EdgeData,
        trainer: Trainer,
        scorer: Scorer,
        round_number: int,
    ) -> None:
        self.guard = data.guard
        self._data = data
        self._trainer = trainer
        self._scorer = scorer
        self._round = round_number

    @property
    def anatomy(self) -> Anatomy:
        """Where the model keeps its head and its BatchNorm."""
        return self._trainer.anatomy

    def on_guard(self, weights: Sequence[Array]) -> Predictions:
        """What the model says of the guard set."""
        return self._scorer.predictions_on(self.guard, weights)

    def runs(self, weights: Sequence[Array]) -> bool:
        """Whether the edge can predict with these weights at all."""
        return self._trainer.runs(weights)

    def recalibrated(self, weights: Sequence[Array]) -> list[Array]:
        """``weights`` with BatchNorm statistics re-estimated on the edge's train set."""
        data = self._data
        return self._trainer.recalibrate(
            weights, data.train, round_number=self._round, who=data.edge
        )
