"""The server's learning rate of an arm, chosen on examples that nobody trains on meanwhile."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ecavg_tf.config import Config
from ecavg_tf.core.deciding.guard import smoothed
from ecavg_tf.core.errors import DivergedError
from ecavg_tf.data.consent import which_consented
from ecavg_tf.data.dataset import Examples, concatenated, stratified
from ecavg_tf.study.arms import Arm
from ecavg_tf.study.desk import Desk
from ecavg_tf.study.ground import Ground
from ecavg_tf.study.plan import HELD_OUT


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


@dataclass(frozen=True)
class Tried:
    """What one seed says about the rates of an arm in a setting.

    Attributes:
        means: by rate, the mean smoothed log-likelihood of the held-out examples, nats; None: the
            rate makes a model diverge. Empty: so little is pooled that no example can judge.
        held_out: how many examples judged.
        samples: examples that the server went through for it.
    """

    means: tuple[float | None, ...]
    held_out: int
    samples: int

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Tried":
        """Reads what ``to_json`` made."""
        return cls(tuple(value["means"]), value["held_out"], value["samples"])


def chosen(tries: Sequence[Tried], rates: Sequence[float]) -> float:
    """The rate that makes all held-out examples of several seeds together the likeliest.

    A rate that diverges with some seed is taken only if every rate does; then, and where nothing
    tells rates apart, it is the first of them.
    """
    judged = [tried for tried in tries if tried.means]

    def likelihood(at: int) -> float:
        means = [(tried.means[at], tried.held_out) for tried in judged]
        return sum(-math.inf if mean is None else count * mean for mean, count in means)

    return rates[max(range(len(rates)), key=likelihood)]


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

    def tried(self, arm: Arm, config: Config, rates: Sequence[float]) -> Tried:
        """How likely the models of several rates find the held-out examples.

        Args:
            arm: what makes the model.
            config: of the cell.
            rates: factors of the server's learning rate.
        """
        trial = self.trial(config)
        if trial is None:
            return Tried((), 0, 0)
        means: list[float | None] = []
        spent = 0
        for factor in rates:
            desk = Desk(trial.ground, at_rate(config, factor), trial.pool)
            try:
                made = arm.make(desk)
            except DivergedError:
                means.append(None)
            else:
                predicted = trial.ground.scorer.predictions_on(trial.held_out, made.members[0])
                said = smoothed(predicted, trial.ground.spec.num_classes)
                means.append(float(said.mean()))
            spent += desk.samples().server
        return Tried(tuple(means), len(trial.held_out), spent)

    def trial(self, config: Config) -> Trial | None:
        """The place without the examples that judge; None: so little is pooled that none can."""
        server = config.server
        key = (server.pool, server.pool_fraction, server.pool_bytes, server.pool_edges)
        if key not in self._made:
            # An interrupted study finds the edges' models again by this name.
            name = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
            self._made[key] = self._without(config, f"trial-{name}")
        return self._made[key]

    def forget(self) -> None:
        """Drops what the edges made for it."""
        for trial in self._made.values():
            if trial is not None:
                trial.ground.forget()
        self._made.clear()

    def _without(self, config: Config, name: str) -> Trial | None:
        edges = self._ground.edges
        which = {edge: which_consented(data.train, edge, config) for edge, data in edges.items()}
        labels = np.concatenate([edges[edge].train.labels[at] for edge, at in which.items()])
        count = round(HELD_OUT * len(labels))
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
