"""From the averaged model to the global model: recalibrate, fine-tune, recalibrate."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ecavg_tf.config import ServerConfig
from ecavg_tf.core.errors import DivergedError
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array, Template, all_finite
from ecavg_tf.data.dataset import Examples
from ecavg_tf.events import Listener, StageStarted
from ecavg_tf.models.batchnorm import moment_positions
from ecavg_tf.results import StartChoice
from ecavg_tf.training.trainer import KerasTrainer
from server.aggregate import combine_statistics, weighed
from server.aligning import Aligner
from server.choose import AVERAGED, Chooser, Chosen
from server.class_head import by_class
from server.combine import combine, label_mix
from server.distill import Teacher
from server.pool_size import for_pool

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
        choice: what ``server.combine=auto`` chose; None: there was no choice.
    """

    averaged: Sequence[Array]
    recalibrated: Sequence[Array]
    weights: Sequence[Array]
    trained_on: tuple[float, ...] | None
    seconds: Mapping[str, float]
    choice: StartChoice | None = None


@dataclass(frozen=True)
class Tools:
    """What a round's server does beyond the paper.

    Attributes:
        aligner: renames the channels of updates before they are averaged; None: nobody does.
        chooser: chooses what to fine-tune; None: the averaged model.
        teacher: gives pooled examples targets to learn; None: their labels are.
    """

    aligner: Aligner | None = None
    chooser: Chooser | None = None
    teacher: Teacher | None = None


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
    tools: Tools | None = None,
    random_start: bool = False,
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
        tools: what goes beyond the paper; None: nothing does.
        random_start: whether ``base`` has learned nothing.

    Raises:
        DivergedError: the global model holds NaN or infinite values.
    """
    watch, tools = _Watch(), tools or Tools()
    chooser = tools.chooser
    listener(StageStarted(round_number, "average", WHO))
    if tools.aligner is not None:
        updates = tools.aligner(updates, template, base, pooled)
    combined = combine(updates, template, base, config)
    averaged = combined.weights
    if config.head_by_class:
        averaged = by_class(averaged, updates, template, trainer.anatomy.head)
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
    chosen = choice = None
    if chooser is not None and pooled is not None:
        listener(StageStarted(round_number, "choose", WHO))
        chosen = chooser.start(
            recalibrated, updates, template, base, pooled, random_start=random_start
        )
        weights, pooled, choice = chosen.weights, chosen.rest, chosen.record
        trained_on = _mix_of(chosen, updates, trained_on)
        watch.lap("finetune")
    elif chooser is not None:
        choice = StartChoice(AVERAGED, "no data is pooled that could judge")
    if pooled is not None and config.epochs > 0:
        trained_on = pooled.class_counts(len(updates[0].info.class_counts))
        listener(StageStarted(round_number, "finetune", WHO))
        if tools.teacher is not None:
            pooled = tools.teacher(updates, template, base, pooled)
        tuner = trainer.with_settings(for_pool(config, len(pooled), updates))
        weights = tuner.fit(weights, pooled, round_number=round_number, who=WHO)
        watch.lap("finetune")
        if config.recalibrate:
            weights = trainer.recalibrate(weights, pooled, round_number=round_number, who=WHO)
            watch.lap("recalibrate")
        if chooser is not None and chosen is not None:
            weights, choice = chooser.end(chosen, weights)
            watch.lap("finetune")
    _check_finite(weights, round_number, tuned=watch.seconds["finetune"] > 0)
    return GlobalModel(averaged, recalibrated, weights, trained_on, watch.seconds, choice)


def _mix_of(
    chosen: Chosen, updates: Sequence[Update], averaged: tuple[float, ...] | None
) -> tuple[float, ...] | None:
    """The label mix that the chosen model has seen, as far as it is known."""
    if chosen.record.taken == AVERAGED:
        return averaged
    whose = [update for update in updates if update.info.edge in chosen.edges]
    return label_mix(whose, [1.0] * len(whose)) if whose else None


def _check_finite(weights: Sequence[Array], round_number: int, *, tuned: bool) -> None:
    if not all_finite(weights):
        cure = "after fine-tuning; lower server.learning_rate" if tuned else "after averaging"
        raise DivergedError(
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
