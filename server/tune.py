"""From the averaged model to the global model: recalibrate, fine-tune, recalibrate."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ecavg_tf.config import ServerConfig
from ecavg_tf.core.errors import RoundError
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array, Template
from ecavg_tf.data.dataset import Examples
from ecavg_tf.events import Listener, StageStarted
from ecavg_tf.models.batchnorm import moment_positions
from ecavg_tf.training.trainer import KerasTrainer
from server.aggregate import combine_statistics, weighed
from server.combine import combine, label_mix

WHO = "server"


@dataclass(frozen=True)
class GlobalModel:
    """The server's three models of one round, as weights in template order.

    Attributes:
        averaged: the mean of the updates, before any training here.
        recalibrated: ``averaged`` with BatchNorm statistics re-estimated.
        weights: the global model.
        trained_on: examples of each class that it was trained on last, shape (classes,);
            None if that is not known.
        seconds: time by ``average``, ``recalibrate`` and ``finetune``.
    """

    averaged: Sequence[Array]
    recalibrated: Sequence[Array]
    weights: Sequence[Array]
    trained_on: tuple[float, ...] | None
    seconds: Mapping[str, float]


def make_global(
    updates: Sequence[Update],
    template: Template,
    base: Sequence[Array],
    pooled: Examples | None,
    *,
    config: ServerConfig,
    trainer: KerasTrainer,
    round_number: int,
    listener: Listener,
) -> GlobalModel:
    """Averages the updates and makes the global model of a round.

    Args:
        updates: accepted updates, at least one, in edge-id order.
        template: the run's template.
        base: the model that the round started from.
        pooled: the combined data of the edges; None: federated averaging.
        config: weighting, recalibration and fine-tuning.
        trainer: the server's.
        round_number: the round, from 1.
        listener: told of stages.

    Raises:
        RoundError: fine-tuning diverged.
    """
    watch = _Watch()
    listener(StageStarted(round_number, "average", WHO))
    combined = combine(updates, template, base, config)
    averaged = combined.weights
    watch.lap("average")

    listener(StageStarted(round_number, "recalibrate", WHO))
    recalibrated: Sequence[Array] = averaged
    if config.recalibrate and pooled is not None:
        recalibrated = trainer.recalibrate(averaged, pooled, round_number=round_number, who=WHO)
    elif config.recalibrate:
        moments = moment_positions(trainer.model)
        shares = combined.shares or weighed(updates, config.weighting)
        recalibrated = combine_statistics(averaged, updates, template, moments, shares)
    watch.lap("recalibrate")

    weights = recalibrated
    trained_on = label_mix(updates, combined.shares)
    if pooled is not None and config.epochs > 0:
        trained_on = pooled.class_counts(len(updates[0].info.class_counts))
        listener(StageStarted(round_number, "finetune", WHO))
        weights = trainer.fit(recalibrated, pooled, round_number=round_number, who=WHO)
        watch.lap("finetune")
        if config.recalibrate:
            weights = trainer.recalibrate(weights, pooled, round_number=round_number, who=WHO)
            watch.lap("recalibrate")
    _check_finite(weights, round_number, tuned=watch.seconds["finetune"] > 0)
    return GlobalModel(averaged, recalibrated, weights, trained_on, watch.seconds)


def _check_finite(weights: Sequence[Array], round_number: int, *, tuned: bool) -> None:
    if not all(np.isfinite(array).all() for array in weights):
        cure = "after fine-tuning; lower server.learning_rate" if tuned else "after averaging"
        raise RoundError(
            f"round {round_number}: the global model holds NaN or infinite values {cure}"
        )


class _Watch:
    """Seconds by stage, added up."""

    def __init__(self) -> None:
        self.seconds = {"average": 0.0, "recalibrate": 0.0, "finetune": 0.0}
        self._last = time.monotonic()

    def lap(self, stage: str) -> None:
        now = time.monotonic()
        self.seconds[stage] += now - self._last
        self._last = now
