"""The fleet: the set of edges, however they are reached."""

from collections.abc import Collection, Sequence
from typing import Protocol

from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import Shipped


class Fleet(Protocol):
    """How the round reaches edges; it doesn't know how they are reached."""

    @property
    def edges(self) -> tuple[str, ...]:
        """Names of all edges that are known, in order."""

    def present(self, round_number: int) -> tuple[str, ...]:
        """Names of the edges that can be asked in a round; waits where too few have come.

        Raises:
            RoundError: too few came in time.
        """

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

    def finish(self, round_number: int, global_model: Shipped) -> Sequence[Reply | NoReply]:
        """Lets every edge decide on the last global model.

        Returns:
            One answer an edge, with its decision.
        """
