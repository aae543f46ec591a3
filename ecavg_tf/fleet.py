"""The fleet: the set of edges, however they are reached."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ecavg_tf.core.scores import Decision
from ecavg_tf.core.template import Array, Template


@dataclass(frozen=True)
class Shipped:
    """The model that the server sends out.

    Attributes:
        weights: in template order; None: each edge starts from its own.
        trained_on: effective examples of each class that the model was trained on, shape
            (classes,); None if that is not known.
    """

    weights: Sequence[Array] | None
    trained_on: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Reply:
    """What an edge answers to one exchange.

    Attributes:
        edge: name of the edge.
        round: the round it answers.
        update: its update file.
        pooled: the file with its pooled data, where it was wanted and the edge consents.
        decision: what it decided on the global model before; None before the first.
        seconds: time it took, by ``pretrain`` and ``evaluate``.
    """

    edge: str
    round: int
    update: Path
    pooled: Path | None
    decision: Decision | None
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class NoReply:
    """An edge that did not answer, and why."""

    edge: str
    reason: str


class Fleet(Protocol):
    """How the round reaches edges; it doesn't know how they are reached."""

    @property
    def edges(self) -> tuple[str, ...]:
        """Names of all edges, in order."""

    def exchange(
        self,
        round_number: int,
        start: Shipped,
        participants: Sequence[str],
        pooled_wanted: Collection[str],
    ) -> Sequence[Reply | NoReply]:
        """One exchange with each participant.

        Each edge first decides on ``start`` as the global model of the round before
        (from round 2), then trains from it, and answers.

        Args:
            round_number: the round, from 1.
            start: the model that the round starts from.
            participants: names of the edges that are asked.
            pooled_wanted: names of those whose pooled data the server lacks.

        Returns:
            One answer a participant, in their order.
        """

    def finish(self, round_number: int, global_model: Shipped) -> Sequence[Decision | NoReply]:
        """Lets every edge decide on the last global model."""


@dataclass(frozen=True)
class Request:
    """What an edge is asked.

    Attributes:
        run_id: which run it belongs to.
        round: the round, from 1.
        template: the run's template.
        model: the start, or the last global model.
        pooled_wanted: whether the server still lacks the edge's pooled data.
    """

    run_id: str
    round: int
    template: Template
    model: Shipped
    pooled_wanted: bool = False
