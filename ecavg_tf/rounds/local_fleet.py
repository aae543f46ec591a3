"""The embedded default: all edges in this process, one after the other."""

from collections.abc import Collection, Sequence

from ecavg_tf.core.scores import Decision
from ecavg_tf.core.template import Template
from ecavg_tf.fleet import NoReply, Reply, Request, Shipped
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

    def exchange(
        self,
        round_number: int,
        start: Shipped,
        participants: Sequence[str],
        pooled_wanted: Collection[str],
    ) -> Sequence[Reply | NoReply]:
        """One exchange with each participant; see ``Fleet``."""
        return [
            self._workers[name].exchange(
                Request(self._run_id, round_number, self._template, start, name in pooled_wanted)
            )
            for name in participants
        ]

    def finish(self, round_number: int, global_model: Shipped) -> Sequence[Decision | NoReply]:
        """Lets every edge decide on the last global model."""
        request = Request(self._run_id, round_number, self._template, global_model)
        return [worker.finish(request) for worker in self._workers.values()]
