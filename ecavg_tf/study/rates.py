"""The server's learning rate of an arm, chosen on examples that nobody trains on meanwhile."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ecavg_tf.config import Config
from ecavg_tf.core.deciding.guard import smoothed
from ecavg_tf.core.errors import DivergedError
from ecavg_tf.data.consent import which_consented
from ecavg_tf.data.dataset import Examples, concatenated, stratified
from ecavg_tf.study.arms import Arm
from ecavg_tf.study.desk import Desk
from ecavg_tf.study.ground import Ground

_HELD_OUT = 0.1  # of the pool


def at_rate(config: Config, factor: float) -> Config:
    """A config with another learning rate of the server."""
    server = replace(config.server, learning_rate=config.server.learning_rate * factor)
    return replace(config, server=server)


@dataclass(frozen=True)
class Trial:
    """A place in which nobody trains on what judges.

    Attributes:
        ground: its edges.
        pool: what they pool.
        held_out: what judges.
    """

    ground: Ground
    pool: Examples
    held_out: Examples


class Trials:
    """Tries rates on a place without a tenth of what its edges pool.

    The edges train anew without these examples. Held out of the pool alone, they would be known
    to the edges' models already, and to change these models little would look better than it is.

    Args:
        ground: the place.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._made: dict[tuple[object, ...], Trial | None] = {}

    def best(self, arm: Arm, config: Config, rates: Sequence[float]) -> tuple[float, int]:
        """The factor whose model finds the held-out examples the likeliest.

        Args:
            arm: what makes the model.
            config: of the cell.
            rates: factors of the server's learning rate.

        Returns:
            The factor, and how many examples the server went through to find it.
        """
        trial = self.trial(config)
        if trial is None:
            return rates[0], 0
        said, spent = {}, 0
        for factor in rates:
            desk = Desk(trial.ground, at_rate(config, factor), trial.pool)
            try:
                made = arm.make(desk)
            except DivergedError:
                said[factor] = -math.inf
            else:
                predicted = trial.ground.scorer.predictions_on(trial.held_out, made.members[0])
                said[factor] = float(smoothed(predicted, trial.ground.spec.num_classes).mean())
            spent += desk.samples().server
        return max(said, key=said.__getitem__), spent

    def trial(self, config: Config) -> Trial | None:
        """The place without the examples that judge; None: so little is pooled that none can."""
        server = config.server
        key = (server.pool, server.pool_fraction, server.pool_bytes, server.pool_edges)
        if key not in self._made:
            self._made[key] = self._without(config, f"trial-{len(self._made)}")
        return self._made[key]

    def _without(self, config: Config, name: str) -> Trial | None:
        edges = self._ground.edges
        which = {edge: which_consented(data.train, edge, config) for edge, data in edges.items()}
        labels = np.concatenate([edges[edge].train.labels[at] for edge, at in which.items()])
        count = round(_HELD_OUT * len(labels))
        # Drawn of all edges together: drawn of each, few classes would be among them.
        judging = np.zeros(len(labels), np.bool_)
        judging[stratified(labels, count, config.seed, "study-rate")] = True
        starts = np.cumsum([0, *map(len, which.values())])
        kept, pooled, taken = {}, [], []
        for first, (edge, at) in zip(starts, which.items(), strict=False):
            data, judges = edges[edge], judging[first : first + len(at)]
            if judges.sum() == len(data.train):  # an edge has something to train on
                judges[0] = False
            rest = np.setdiff1d(np.arange(len(data.train)), at[judges])
            kept[edge] = replace(data, train=data.train.take(rest))
            pooled.append(data.train.take(at[~judges]))
            taken.append(data.train.take(at[judges]))
        pool, held_out = concatenated(pooled), concatenated(taken)
        if not len(pool) or not len(held_out):
            return None
        return Trial(self._ground.with_edges(kept, name), pool, held_out)
