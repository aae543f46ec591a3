"""What all participants of a run share: the model, how it is trained, and how it is scored."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from ecavg_tf.config import Config, FitConfig
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import DataSpec, Examples
from ecavg_tf.events import Listener, Note
from ecavg_tf.models.builders import build_model, gives_logits, initial_weights, template_of
from ecavg_tf.models.pixels import raw_pixels_note
from ecavg_tf.plugins import is_plugin, load_function
from ecavg_tf.training.compiled import Compilation, CompiledModel
from ecavg_tf.training.evaluation import Evaluator
from ecavg_tf.training.resuming import FOLDER
from ecavg_tf.training.trainer import Trainer, check_tensorboard


class Task:
    """Models, trainers and evaluators of one process; heavy parts are made when first used.

    It knows nobody's data, only what the images are.

    Args:
        config: a validated config.
        spec: what the images are.
        workdir: where TensorBoard logs go.
        listener: told of stages, batches and epochs.
    """

    def __init__(self, config: Config, spec: DataSpec, workdir: Path, listener: Listener) -> None:
        self.config = config
        self.spec = spec
        self.listener = listener
        self._workdir = workdir
        self._compiled: dict[Compilation, CompiledModel] = {}
        self._evaluators: dict[tuple[int, int], Evaluator] = {}

    def tell_notes(self, notes: Sequence[str]) -> None:
        """Tells what the user should read before training.

        Args:
            notes: what loading the data found.
        """
        found = list(notes)
        if is_plugin(self.config.model.name):
            found += filter(None, [raw_pixels_note(self.server_trainer.model, self.spec)])
        for note in found:
            self.listener(Note(note))

    def check(self) -> None:
        """Finds what is wrong with a config before anything is written or trained.

        Raises:
            ECAvgError: a function, an optimizer, a saved model or an extra is not there.
        """
        config = self.config
        for field, names in (
            ("server.combine", config.server.combine),
            ("update.policy", config.update.policy),
            ("edge.callbacks", config.edge.callbacks),
            ("server.callbacks", config.server.callbacks),
        ):
            for name in filter(is_plugin, names.split(",")):
                load_function(field, name.strip())
        if config.tensorboard:
            check_tensorboard()
        for trainer in (self.server_trainer, self.edge_trainer):
            template_of(trainer.model)
        if config.model.init not in ("shared", "independent"):
            _ = self.initial

    @cached_property
    def initial(self) -> list[Array]:
        """The weights that a run with a shared init starts from."""
        return initial_weights(self.config, self.spec, "shared")

    @cached_property
    def server_trainer(self) -> Trainer:
        """The server's compiled model."""
        return self._trainer(self.config.server)

    @cached_property
    def edge_trainer(self) -> Trainer:
        """The edges' compiled model."""
        return self._trainer(self.config.edge)

    def evaluator(self, trainer: Trainer, test: Examples) -> Evaluator:
        """Scores a trainer's model; one for all who share the model and the test set.

        Args:
            trainer: the server's or the edges'.
            test: the test set, the same object for those who share it.
        """
        key = (id(trainer.model), id(test))  # of objects that the evaluator keeps alive
        if key not in self._evaluators:
            logits = gives_logits(self.config.model)
            self._evaluators[key] = Evaluator(trainer.model, test, logits=logits)
        return self._evaluators[key]

    def _trainer(self, settings: FitConfig) -> Trainer:
        return Trainer(
            self._compiled_for(Compilation.of(settings)),
            settings,
            seed=self.config.seed,
            tensorboard=self._workdir / "tensorboard" if self.config.tensorboard else None,
            listener=self.listener,
            checkpoints=self._workdir / FOLDER,
        )

    def _compiled_for(self, compilation: Compilation) -> CompiledModel:
        """Edges and server share one compiled model wherever their settings allow it."""
        if compilation not in self._compiled:
            self._compiled[compilation] = CompiledModel(
                build_model(self.config, self.spec, "shared"),
                compilation,
                image_shape=self.spec.image_shape,
                logits=gives_logits(self.config.model),
                value_range=self.spec.value_range,
            )
        return self._compiled[compilation]
