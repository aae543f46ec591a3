"""Putting the parts of a run together from its config."""

from functools import cached_property
from pathlib import Path

from ecavg_tf.config import Config, EdgeConfig, ServerConfig
from ecavg_tf.config.checks import one_of
from ecavg_tf.core.messages.probe import probe_images
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Dataset
from ecavg_tf.data.partition import EdgeData, partition_data
from ecavg_tf.data.sources import load_data
from ecavg_tf.events import Listener, silent
from ecavg_tf.models.builders import build_model, gives_logits, initial_model, template_of
from ecavg_tf.models.round_trip import check_round_trip
from ecavg_tf.plugins import is_plugin, load_function
from ecavg_tf.training.compiled import Compilation, CompiledModel
from ecavg_tf.training.evaluation import Evaluator
from ecavg_tf.training.trainer import Trainer, check_tensorboard


class Assembly:
    """Data, models and workers of one process; heavy parts are made when first used.

    Args:
        config: a validated config.
        workdir: where TensorBoard logs go.
        listener: told of stages, batches and epochs.

    Raises:
        DataError: the data can't be loaded or dealt out.
    """

    def __init__(self, config: Config, workdir: Path, listener: Listener) -> None:
        self._config = config
        self._workdir = workdir
        self._listener = listener
        self.dataset: Dataset = load_data(config.data, config.seed)
        self.edges: tuple[EdgeData, ...] = partition_data(
            self.dataset, config.partition, config.seed
        )
        self._compiled: dict[Compilation, CompiledModel] = {}
        self._evaluators: dict[int, Evaluator] = {}

    def check(self) -> None:
        """Finds what is wrong with a config before anything is written or trained.

        Raises:
            ECAvgError: a function, an optimizer, a saved model or an extra is not there.
        """
        config = self._config
        for field, names in (
            ("server.combine", config.server.combine),
            ("update.policy", config.update.policy),
            ("edge.callbacks", config.edge.callbacks),
            ("server.callbacks", config.server.callbacks),
        ):
            for name in filter(is_plugin, names.split(",")):
                load_function(field, name.strip())
        known = tuple(edge.edge for edge in self.edges)
        for name in filter(None, config.server.pool_edges.split(",")):
            one_of("server.pool_edges", name.strip(), known)
        if config.tensorboard:
            check_tensorboard()
        for trainer in (self.server_trainer, self.edge_trainer):
            template_of(trainer.model)
        if is_plugin(config.model.name) or config.model.init not in ("shared", "independent"):
            _ = self.initial  # looked through while nothing is written yet

    @cached_property
    def server_trainer(self) -> Trainer:
        """The server's compiled model."""
        return self._trainer(self._config.server)

    @cached_property
    def server_evaluator(self) -> Evaluator:
        """Scores the server's stages."""
        return self._evaluator(self.server_trainer)

    @cached_property
    def initial(self) -> list[Array]:
        """The weights that a run with a shared init starts from.

        The model that they come from and the one that is trained are two builds: weights must
        be all that they need to answer alike.
        """
        spec = self.dataset.spec
        model = initial_model(self._config, spec, "shared")
        weights: list[Array] = model.get_weights()
        images = probe_images(spec.image_shape, spec.value_range, spec.dtype)
        check_round_trip(self.server_trainer.model, model, images, name=self._config.model.name)
        return weights

    @cached_property
    def edge_trainer(self) -> Trainer:
        """The edges' compiled model."""
        return self._trainer(self._config.edge)

    @cached_property
    def edge_evaluator(self) -> Evaluator:
        """Scores the edges' models."""
        return self._evaluator(self.edge_trainer)

    def _trainer(self, settings: EdgeConfig | ServerConfig) -> Trainer:
        return Trainer(
            self._compiled_for(Compilation.of(settings)),
            settings,
            seed=self._config.seed,
            tensorboard=self._workdir / "tensorboard" if self._config.tensorboard else None,
            listener=self._listener,
        )

    def _compiled_for(self, compilation: Compilation) -> CompiledModel:
        """Edges and server share one compiled model wherever their settings allow it."""
        if compilation not in self._compiled:
            # Another place than the initial model's: what is drawn beside the weights shows.
            model = build_model(self._config, self.dataset.spec, "compiled")
            logits = gives_logits(self._config.model)
            self._compiled[compilation] = CompiledModel(
                model,
                compilation,
                image_shape=self.dataset.spec.image_shape,
                logits=logits,
                value_range=self.dataset.spec.value_range,
                listener=silent if self._compiled else self._listener,
            )
        return self._compiled[compilation]

    def _evaluator(self, trainer: Trainer) -> Evaluator:
        if id(trainer.model) not in self._evaluators:
            self._evaluators[id(trainer.model)] = Evaluator(
                trainer.model, self.dataset.test, logits=gives_logits(self._config.model)
            )
        return self._evaluators[id(trainer.model)]
