"""What each round costs each edge: seconds, and bytes up and down."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from ecavg_tf.config import Config
from ecavg_tf.config.fields import shared_fields
from ecavg_tf.core.findings import EdgeCost
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import FINISH, Request, Shipped
from ecavg_tf.core.messages.sizes import reply_bytes, request_bytes
from ecavg_tf.core.template import Template
from ecavg_tf.decided import write_finish_sizes

Answers = Sequence[Reply | NoReply]


class Costs:
    """Counts the bytes of a run's exchanges.

    Args:
        config: the run's, which requests carry.
        run_id: names the run.
        template: the run's template.
    """

    def __init__(self, config: Config, run_id: str, template: Template) -> None:
        self._blank = Request("", run_id, 0, template, Shipped(None), config=shared_fields(config))

    def of(
        self, kind: str, number: int, sent: Shipped, wanted: Collection[str], answers: Answers
    ) -> tuple[EdgeCost, ...]:
        """What one exchange cost, edge by edge.

        Args:
            kind: ``exchange`` or ``finish``.
            number: the round.
            sent: the model that went out.
            wanted: names of the edges that were asked for pooled data.
            answers: what came back.
        """
        asked = replace(self._blank, kind=kind, round=number, model=sent)
        both = {flag: replace(asked, pooled_wanted=flag) for flag in (False, True)}
        down: dict[bool, int] = {}
        found = []
        for answer in answers:
            pooled = answer.edge in wanted
            if answer.sizes is None and pooled not in down:
                down[pooled] = request_bytes(both[pooled])
            sizes = answer.sizes or (down[pooled], reply_bytes(both[pooled], answer))
            seconds = dict(answer.seconds) if isinstance(answer, Reply) else {}
            found.append(EdgeCost(answer.edge, seconds, *sizes))
        return tuple(found)

    def keep_finish(self, folder: Path, number: int, model: Shipped, answers: Answers) -> None:
        """Writes what the run's last exchange cost beside the last round's results."""
        costs = self.of(FINISH, number, model, (), answers)
        write_finish_sizes(folder, {one.edge: (one.bytes_down, one.bytes_up) for one in costs})
