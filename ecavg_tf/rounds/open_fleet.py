"""A fleet that takes in edges which nobody knew before they came."""

from collections.abc import Collection, Sequence

from ecavg_tf.config import Config
from ecavg_tf.config.presence import WaitFor
from ecavg_tf.core.errors import RoundError
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import Shipped
from ecavg_tf.events import Listener, Note
from ecavg_tf.rounds.arrivals import Arrivals, wait_for
from ecavg_tf.rounds.folder_fleet import FolderFleet


class OpenFleet:
    """Edges that come by themselves, before the first round or later.

    Args:
        fleet: reaches those who have come.
        arrivals: greets who comes.
        config: says who is waited for before round 1, and how long.
        listener: told who is waited for.
    """

    def __init__(
        self, fleet: FolderFleet, arrivals: Arrivals, config: Config, listener: Listener
    ) -> None:
        self._fleet = fleet
        self._fleet.idle = arrivals.look  # also while a round goes on: for the next one
        self._arrivals = arrivals
        self._config = config
        self._listener = listener

    @property
    def edges(self) -> tuple[str, ...]:
        """Names of all edges that have come, in order."""
        return self._fleet.edges

    def present(self, round_number: int) -> tuple[str, ...]:
        """Takes in who has come; before round 1, waits for those that it can't do without.

        Raises:
            RoundError: too few came in time.
        """
        self._arrivals.look()
        if round_number == 1:
            self._wait()
        self._fleet.add(self._arrivals.came)
        return self.edges

    def _wait(self) -> None:
        fleet = self._config.fleet
        wanted = WaitFor.of(fleet.wait_for, fleet.quorum)
        lacking = wait_for(self._arrivals, wanted, self._config, self._listener)
        came = len(self._arrivals.came)
        within = f"within {fleet.timeout_s:g} s (fleet.timeout_s)"
        if lacking and came < fleet.quorum:
            raise RoundError(
                f"round 1 waits for {lacking}, and {came} of the {fleet.quorum} edges that "
                f"fleet.quorum wants came {within}; start them, and the same command goes on"
            )
        if lacking:
            self._listener(Note(f"goes on without {lacking}: nothing came {within}"))

    def exchange(
        self,
        round_number: int,
        start: Shipped,
        participants: Sequence[str],
        pooled_wanted: Collection[str],
    ) -> Sequence[Reply | NoReply]:
        """One exchange with each participant; see ``Fleet``."""
        return self._fleet.exchange(round_number, start, participants, pooled_wanted)

    def finish(self, round_number: int, global_model: Shipped) -> Sequence[Reply | NoReply]:
        """Lets every edge decide on the last global model, also one that has just come."""
        self._arrivals.look()
        self._fleet.add(self._arrivals.came)
        answers = self._fleet.finish(round_number, global_model)
        self._fleet.close_to_others()
        return answers
