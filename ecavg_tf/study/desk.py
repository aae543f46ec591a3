"""Where one arm works: its server, its pool, and the count of what it goes through."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ecavg_tf.config import Config
from ecavg_tf.core.deciding.guard import smoothed
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Examples, concatenated
from ecavg_tf.results import StartChoice
from ecavg_tf.study.ground import Ground, Weights, finite, processed, samples_of
from server.pool_size import for_share
from server.tune import WHO


@dataclass(frozen=True)
class Samples:
    """Examples that an arm went through; every pass over one counts.

    Attributes:
        edges: all edges together: training and recalibration.
        server: the server: training, recalibration, probes and their evaluation.
        path: of the slowest edge in each round, and of the server: what takes time.
        deciding: predictions and recalibrations by which edges decide.
    """

    edges: int
    server: int
    path: int
    deciding: int


@dataclass(frozen=True)
class Made:
    """What an arm made.

    Attributes:
        members: the server's model; of several, the mean answer counts; none: there is none.
        trained_on: examples of each class that the model was trained on last, if that is known.
        own: a model of its own for every edge, where edges deploy these and decide nothing.
        local: the edges' last local models, with which they decide; none: those of edges alone,
            which had nothing else to do in all rounds.
        previous: what each edge accepted in the round before.
        choice: what ``server.combine=auto`` chose in the last round.
    """

    members: Sequence[Weights] = ()
    trained_on: tuple[float, ...] | None = None
    own: Mapping[str, Weights] = field(default_factory=dict)
    local: Mapping[str, Weights] = field(default_factory=dict)
    previous: Mapping[str, Weights] = field(default_factory=dict)
    choice: StartChoice | None = None


class Desk:
    """One arm's server.

    Args:
        ground: what it shares with other arms.
        config: the arm's.
        pooled: what it may train on; None: nothing.

    Attributes:
        trainer: the server's; it counts what it goes through.
    """

    def __init__(self, ground: Ground, config: Config, pooled: Examples | None) -> None:
        self.ground = ground
        self.config = config
        self.pooled = pooled
        self.task = ground.machine.task(config, ground.spec)
        # Aside: a fit that another arm made must not be taken for this one's, and not be counted.
        self.trainer = self.task.server_trainer.aside(config.server)
        self._predicted = ground.scorer.predicted
        self._edges = 0
        self._slowest = 0
        self._decided = 0

    @property
    def pool(self) -> Examples:
        """The pooled data of an arm that needs some."""
        assert self.pooled is not None, "cells of arms that pool have a pool"
        return self.pooled

    def updates(self, start: Weights | None, number: int) -> list[Update]:
        """The edges' work of one round, on this arm's account whoever asked first."""
        updates = self.ground.updates(start, number)
        self.charge([samples_of(update) for update in updates])
        return updates

    def charge(self, by_edge: Sequence[int]) -> None:
        """Counts what each edge went through, at the same time."""
        self._edges += sum(by_edge)
        self._slowest += max(by_edge)

    def tuned(
        self, weights: Weights, number: int, *, epochs: int | None = None, who: str = WHO
    ) -> list[Array]:
        """The server's fine-tuning and recalibration, as in a round.

        Args:
            weights: what it starts from.
            number: the round, from 1.
            epochs: passes over the pool; None: as in a round.
            who: names the order of its batches; ``server``: that of a round.
        """
        server = self.config.server
        settings = for_share(server, len(self.pool), self.edge_examples)
        if epochs is not None:
            settings = replace(settings, epochs=epochs)
        tuner = self.trainer.aside(settings)
        made = tuner.fit(weights, self.pool, round_number=number, who=who)
        if server.recalibrate:
            made = tuner.recalibrate(made, self.pool, round_number=number, who=who)
        return finite(made, who, number)

    @property
    def edge_examples(self) -> int:
        """Training examples of all edges."""
        return sum(len(data.train) for data in self.ground.edges.values())

    @property
    def trained_on(self) -> tuple[float, ...]:
        """The label mix of the pool."""
        return self.pool.class_counts(self.ground.spec.num_classes)

    def best_on_guards(self, models: Mapping[str, Weights]) -> str:
        """The edge whose model the guard sets of all edges find the likeliest."""
        guards = concatenated([data.guard for data in self.ground.edges.values()])
        classes = self.ground.spec.num_classes
        means = {
            edge: float(
                smoothed(self.ground.scorer.predictions_on(guards, weights), classes).mean()
            )
            for edge, weights in models.items()
        }
        return max(means, key=means.__getitem__)

    @contextlib.contextmanager
    def deciding(self) -> Iterator[None]:
        """What is predicted and recalibrated in the block is the edges' decision."""
        scorer, spent = self.ground.scorer, self.ground.edge_trainer.spent
        predicted, recalibrated = scorer.predicted, processed(spent)
        yield
        predicted = scorer.predicted - predicted
        self._decided += predicted + processed(spent) - recalibrated
        self._predicted += predicted  # not the server's

    def samples(self) -> Samples:
        """What the arm went through since the desk was made."""
        predicted = self.ground.scorer.predicted - self._predicted
        server = processed(self.trainer.spent) + predicted
        return Samples(self._edges, server, self._slowest + server, self._decided)
