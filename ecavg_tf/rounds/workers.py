"""Edges that live in this process."""

from collections.abc import Sequence
from pathlib import Path

from ecavg_tf.data.dataset import EdgeData
from ecavg_tf.data.federated import FederatedData
from ecavg_tf.models.builders import initial_weights
from ecavg_tf.task import Task
from ecavg_tf.training.evaluation import KerasScorer
from edge.participating.store import EdgeStore
from edge.participating.worker import EdgeWorker

MOST_SAVED = 100  # edges; of more nobody looks at each one's Keras file, and they fill the disk


def make_workers(
    task: Task, data: FederatedData, edges: Sequence[str], folder: Path, *, simulated: bool = False
) -> list[EdgeWorker]:
    """Workers for edges that live here, who share one compiled model.

    Args:
        task: what the participants of the run share.
        data: asked for the data of these edges, and of no other.
        edges: their names.
        folder: each edge's own folder is made in it.
        simulated: whether they live in the server's process; see ``EdgeWorker``.
    """
    scorer = task.scorer(task.edge_trainer, data.test)
    saves = len(edges) <= MOST_SAVED
    return [
        make_worker(task, data.edge(edge), scorer, folder / edge, saves=saves, simulated=simulated)
        for edge in edges
    ]


def make_worker(
    task: Task,
    data: EdgeData,
    scorer: KerasScorer,
    folder: Path,
    *,
    saves: bool,
    simulated: bool,
) -> EdgeWorker:
    """One edge.

    Args:
        task: what the participants of the run share.
        data: the edge's.
        scorer: of the edges' model, on the server's test set.
        folder: the edge's own.
        saves: whether its accepted model becomes a Keras file.
        simulated: whether it lives in the server's process; see ``EdgeWorker``.
    """
    return EdgeWorker(
        task.config,
        data,
        num_classes=task.spec.num_classes,
        trainer=task.edge_trainer,
        scorer=scorer,
        own_start=lambda: initial_weights(task.config, task.spec, data.edge),
        open_store=lambda run_id: EdgeStore(folder, data.edge, run_id),
        listener=task.listener,
        simulated=simulated,
        saves=saves,
    )
