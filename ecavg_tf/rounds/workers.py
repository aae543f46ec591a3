"""Edges that live in this process."""

from collections.abc import Sequence
from pathlib import Path

from ecavg_tf.config import Config
from ecavg_tf.data.dataset import EdgeData
from ecavg_tf.events import Listener
from ecavg_tf.models.builders import initial_weights
from ecavg_tf.task import Assembly
from edge.participating.store import EdgeStore
from edge.participating.worker import EdgeWorker


def make_workers(
    config: Config,
    assembly: Assembly,
    folder: Path,
    listener: Listener,
    names: Sequence[str] | None = None,
) -> list[EdgeWorker]:
    """Workers for the named edges (None: all), who share one compiled model.

    Args:
        config: the run's config.
        assembly: data and models.
        folder: each edge's own folder is made in it.
        listener: told of stages.
        names: names of edges.
    """
    chosen = [data for data in assembly.edges if names is None or data.edge in names]
    return [_worker(config, assembly, data, folder / data.edge, listener) for data in chosen]


def _worker(
    config: Config, assembly: Assembly, data: EdgeData, folder: Path, listener: Listener
) -> EdgeWorker:
    spec = assembly.dataset.spec
    return EdgeWorker(
        config,
        data,
        num_classes=spec.num_classes,
        trainer=assembly.edge_trainer,
        evaluator=assembly.edge_evaluator,
        own_start=lambda: initial_weights(config, spec, data.edge),
        open_store=lambda run_id: EdgeStore(folder, data.edge, run_id),
        listener=listener,
    )
