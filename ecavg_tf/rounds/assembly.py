"""Putting the parts of a run together from its config."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from ecavg_tf.config import Config
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Dataset
from ecavg_tf.data.partition import EdgeData, partition_data
from ecavg_tf.data.sources import load_data
from ecavg_tf.evaluation import Evaluator
from ecavg_tf.events import Listener
from ecavg_tf.models import build_model, gives_logits, initial_weights
from ecavg_tf.training import FitSettings, Trainer
from edge.store import EdgeStore
from edge.worker import EdgeWorker


class Assembly:
    """Data, models and workers of one process; heavy parts are made when first used.

    Args:
        config: a validated config.
        listener: told of stages, batches and epochs.

    Raises:
        DataError: the data can't be loaded or dealt out.
    """

    def __init__(self, config: Config, listener: Listener) -> None:
        self._config = config
        self._listener = listener
        self.dataset: Dataset = load_data(config.data, config.seed)
        self.edges: tuple[EdgeData, ...] = partition_data(
            self.dataset, config.partition, config.seed
        )

    @cached_property
    def server_trainer(self) -> Trainer:
        """The server's compiled model."""
        server = self._config.server
        return self._trainer(
            FitSettings(server.epochs, server.batch_size, server.optimizer, server.learning_rate)
        )

    @cached_property
    def server_evaluator(self) -> Evaluator:
        """Scores the server's stages."""
        return self._evaluator(self.server_trainer)

    @cached_property
    def initial(self) -> list[Array]:
        """The weights that a run with a shared init starts from."""
        return initial_weights(self._config, self.dataset.spec, "shared")

    @cached_property
    def _edge_trainer(self) -> Trainer:
        edge = self._config.edge
        return self._trainer(
            FitSettings(edge.epochs, edge.batch_size, edge.optimizer, edge.learning_rate)
        )

    @cached_property
    def _edge_evaluator(self) -> Evaluator:
        return self._evaluator(self._edge_trainer)

    def workers(self, folder: Path, names: Sequence[str] | None = None) -> list[EdgeWorker]:
        """Workers for the named edges (None: all), who share one compiled model.

        Args:
            folder: each edge's own folder is made in it.
            names: names of edges.
        """
        chosen = [data for data in self.edges if names is None or data.edge in names]
        return [self._worker(data, folder / data.edge) for data in chosen]

    def _worker(self, data: EdgeData, folder: Path) -> EdgeWorker:
        spec = self.dataset.spec
        return EdgeWorker(
            self._config,
            data,
            num_classes=spec.num_classes,
            trainer=self._edge_trainer,
            evaluator=self._edge_evaluator,
            own_start=lambda: initial_weights(self._config, spec, data.edge),
            open_store=lambda run_id: EdgeStore(folder, data.edge, run_id),
            listener=self._listener,
        )

    def _trainer(self, settings: FitSettings) -> Trainer:
        return Trainer(
            build_model(self._config, self.dataset.spec, "shared"),
            settings,
            seed=self._config.seed,
            logits=gives_logits(self._config.model),
            listener=self._listener,
        )

    def _evaluator(self, trainer: Trainer) -> Evaluator:
        return Evaluator(trainer.model, self.dataset.test, logits=gives_logits(self._config.model))
