"""Aligns a round's updates before they are averaged, and tells what that did."""

from collections.abc import Callable, Sequence

import numpy as np

from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.permuting import Groups
from ecavg_tf.core.template import Array, Template
from ecavg_tf.data.dataset import Examples, stratified
from ecavg_tf.events import Listener, Note
from ecavg_tf.training.trainer import KerasTrainer
from server.aggregate import average_updates
from server.align import aligned

_LOOKED_AT = 500  # pooled examples

Predict = Callable[[Examples, Sequence[Array]], Predictions]


class Aligner:
    """Aligns the updates of one round.

    Args:
        groups: channels that can be renamed.
        trainer: the server's; it recalibrates what is looked at.
        predict: what a model says of examples.
        seed: the run's seed.
        round_number: the round, from 1.
        listener: told of the barrier before and after.
    """

    def __init__(
        self,
        groups: Groups,
        trainer: KerasTrainer,
        predict: Predict,
        *,
        seed: int,
        round_number: int,
        listener: Listener,
    ) -> None:
        self._groups = groups
        self._trainer = trainer
        self._predict = predict
        self._seed = seed
        self._round = round_number
        self._listener = listener

    def __call__(
        self,
        updates: Sequence[Update],
        template: Template,
        base: Sequence[Array],
        pooled: Examples | None,
    ) -> Sequence[Update]:
        """The same updates with renamed channels.

        Args:
            updates: as they came, in edge-id order.
            template: the run's template.
            base: what an update omits.
            pooled: examples on which the barrier is measured; None: it is not.
        """
        if not self._groups.sizes or len(updates) < 2:
            why = "nothing is known of the model's channels" if len(updates) > 1 else "one update"
            self._listener(Note(f"round {self._round}: nothing is aligned: {why}"))
            return updates
        made = aligned(updates, template, base, self._groups, self._seed)
        if pooled is not None:
            count = min(_LOOKED_AT, len(pooled))
            sample = pooled.take(stratified(pooled.labels, count, self._seed, "barrier"))
            before, after = (
                self._barrier(each, template, base, sample) for each in (updates, made)
            )
            self._listener(
                Note(
                    f"round {self._round}: aligned {len(made)} updates: the loss of their average "
                    f"is above their mean loss by {after:.3f} nats, without it by {before:.3f} "
                    f"({count} pooled examples)"
                )
            )
        return made

    def _barrier(
        self, updates: Sequence[Update], template: Template, base: Sequence[Array],
        sample: Examples,
    ) -> float:  # fmt: skip
        """Loss of the average minus the mean loss of what is averaged (arXiv 1912.05671)."""
        average = average_updates(updates, template, base, [1.0] * len(updates))
        losses = [self._loss(average, sample)]
        for update in updates:
            named = {spec.key: array for spec, array in update.items(template)}
            losses.append(self._loss(template.listed(named, base), sample))
        return losses[0] - float(np.mean(losses[1:]))

    def _loss(self, weights: Sequence[Array], sample: Examples) -> float:
        weights = self._trainer.recalibrate(
            weights, sample, round_number=self._round, who="server-barrier"
        )
        return -float(self._predict(sample, weights).log_likelihood.mean())
