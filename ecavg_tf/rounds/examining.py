"""Looking at a round's updates before they are averaged: who does what to the average."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ecavg_tf.config import Config
from ecavg_tf.core.findings import Influence
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array, Template
from ecavg_tf.data.dataset import Examples
from ecavg_tf.events import Listener, Note
from ecavg_tf.models.batchnorm import moment_positions
from ecavg_tf.results import Refused
from ecavg_tf.task import Task
from ecavg_tf.training.evaluation import KerasScorer
from server.aggregate import weighed
from server.collect import Collected
from server.doubts import Doubt, doubts, without
from server.influence import Round, drawn, excluded, findings, influences


class Examiner:
    """Tells what each update of a round does to the average, and who stands out.

    Args:
        task: what the participants share.
        template: the run's template.
        scorer: scores models on the server.
    """

    def __init__(self, task: Task, template: Template, scorer: KerasScorer) -> None:
        self._config: Config = task.config
        self._listener: Listener = task.listener
        self._classes = task.spec.classes
        self._template = template
        self._scorer = scorer
        self._moments = moment_positions(task.server_trainer.model)

    def examined(
        self,
        number: int,
        collected: Collected,
        base: Sequence[Array],
        pooled: dict[str, Examples],
    ) -> tuple[Collected, dict[str, Examples]]:
        """The same updates with their influence, without those that break the average.

        And the pooled examples without those whose labels ``server.doubtful_labels`` leaves out.

        Args:
            number: the round, from 1.
            collected: the accepted updates, at least one.
            base: the model that the round started from; empty: each edge had its own.
            pooled: pooled examples by edge.
        """
        most = self._config.server.influence_examples
        if not (most and base and collected.updates):
            return collected, pooled
        sample = drawn(pooled, most, self._config.seed)
        given = Round(
            collected.updates,
            self._template,
            base,
            weighed(collected.updates, self._config.server.weighting),
            self._moments,
            sample,
            self._scorer.predictions_on,
        )
        measured = influences(given)
        gone: dict[str, str] = {}
        while found := excluded(given, measured):
            gone |= found
            (edge,) = found
            given = given.without(edge)
            measured = influences(given)
        for line in findings(given, measured):
            self._listener(Note(f"round {number}: {line}"))
        for edge, reason in gone.items():
            self._listener(Note(f"round {number}: refused {edge}: {reason}"))
        for update in collected.updates:
            if update.info.edge in gone:
                update.path.unlink()
        left_out = doubts(given, pooled, self._config.server.doubtful_labels)
        for doubt in left_out:
            self._listener(Note(f"round {number}: {doubt}"))
        refused = (*collected.refused, *(Refused(edge, why) for edge, why in gone.items()))
        looked_at = replace(
            collected,
            updates=tuple(given.updates),
            refused=tuple(sorted(refused, key=lambda each: each.edge)),
            influence=_with(measured, left_out),
        )
        return looked_at, without(pooled, left_out)

    def warn_of_forgetting(self, number: int, updates: Sequence[Update], pooled: Examples) -> None:
        """Fine-tuning on data that lacks an edge's classes makes the model forget them."""
        classes = self._classes
        counts = np.sum([update.info.class_counts for update in updates], axis=0)
        lacking = np.flatnonzero(
            (counts > 0) & (np.asarray(pooled.class_counts(len(classes))) == 0)
        )
        if len(lacking):
            named = ", ".join(classes[index] for index in lacking[:8])
            more = f" and {len(lacking) - 8} more" if len(lacking) > 8 else ""
            self._listener(
                Note(
                    f"round {number}: no edge pools examples of {named}{more}: fine-tuning will "
                    "make the global model forget them; pool some (server.pool_edges, --pool on "
                    "a device), or set server.epochs=0"
                )
            )


def _with(measured: Sequence[Influence], left_out: Sequence[Doubt]) -> tuple[Influence, ...]:
    """The same with how many examples of each edge are left out."""
    counts = {doubt.edge: int(doubt.left_out.sum()) for doubt in left_out}
    return tuple(replace(one, left_out=counts.get(one.edge)) for one in measured)
