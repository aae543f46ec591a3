"""The embedded default: all edges in this process, one after the other."""

from collections.abc import Collection, Sequence

from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import EXCHANGE, FINISH, Request, Shipped
from ecavg_tf.core.template import Template
from edge.participating.worker import EdgeWorker


class LocalFleet:
    """Edges in this process.

    Args:
        workers: the edges, in the order of their names.
        run_id: names the run.
        template: the run's template.
    """

    def __init__(self, workers: Sequence[EdgeWorker], run_id: str, template: Template) -> None:
        self._workers = {worker.edge: worker for worker in workers}
        self._run_id = run_id
        self._template = template

    @property
    def edges(self) -> tuple[str, ...]:
        """Names of all edges, in order."""
        return tuple(self._workers)

    def present(self, round_number: int) -> tuple[str, ...]:
        """All edges: they live here."""
        del round_number
        return self.edges

    def exchange(
        self,
        round_number: int,
        start: Shipped,
        participants: Sequence[str],
        pooled_wanted: Collection[str],
    ) -> Sequence[Reply | NoReply]:
        """One exchange with each participant; see ``Fleet``."""
        return [
            self._ask(EXCHANGE, round_number, start, name, name in pooled_wanted)
            for name in participants
        ]

    def finish(self, round_number: int, global_model: Shipped) -> Sequence[Reply | NoReply]:
        """Lets every edge decide on the last global model."""
        return [self._ask(FINISH, round_number, global_model, name) for name in self._workers]

    def _ask(
        self, kind: str, round_number: int, model: Shipped, edge: str, pooled: bool = False
    ) -> Reply:
        request = Request(kind, self._run_id, round_number, self._template, model, pooled)
        return self._workers[edge].answer(request)
