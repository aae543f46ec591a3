"""What all participants of a run share: the model, how it is trained, and how it is scored."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from ecavg_tf.config import Config, FitConfig
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.messages.probe import probe_inputs
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import DataSpec, Examples
from ecavg_tf.events import Listener, Note, silent
from ecavg_tf.models.builders import build_model, gives_logits, initial_model, template_of
from ecavg_tf.models.rescaling import range_note, raw_values_note, takes_tokens
from ecavg_tf.models.round_trip import check_round_trip
from ecavg_tf.plugins import is_plugin, load_function
from ecavg_tf.training.compiled import Compilation, CompiledModel, check_own_loss
from ecavg_tf.training.evaluation import KerasScorer
from ecavg_tf.training.resuming import FOLDER
from ecavg_tf.training.trainer import KerasTrainer
from ecavg_tf.training.users_callbacks import check_tensorboard

_PICTURE = 3  # height, width, channels


class Task:
    """Models, trainers and scorers of one process; heavy parts are made when first used.

    It knows nobody's data, only what the inputs are.

    Args:
        config: a validated config.
        spec: what the inputs are.
        workdir: where TensorBoard logs go.
        listener: told of stages, batches and epochs.
        compiled: models of the same architecture that were compiled before, for several tasks in
            one process; None: none yet.
    """

    def __init__(
        self,
        config: Config,
        spec: DataSpec,
        workdir: Path,
        listener: Listener,
        compiled: dict[Compilation, CompiledModel] | None = None,
    ) -> None:
        self.config = config
        self.spec = spec
        self.listener = listener
        self._workdir = workdir
        self._compiled = {} if compiled is None else compiled
        self._scorers: dict[tuple[int, int], KerasScorer] = {}

    def tell_notes(self, notes: Sequence[str]) -> None:
        """Tells what the user should read before training.

        Args:
            notes: what loading the data found.
        """
        found = list(notes)
        tokens = False
        if is_plugin(self.config.model.name):
            model = self.server_trainer.model
            tokens = takes_tokens(model, self.spec)
            found += filter(None, [raw_values_note(model, self.spec)])
        found += filter(None, [range_note(self.spec, tokens=tokens)])
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
        for section, fit in (("edge", config.edge), ("server", config.server)):
            if fit.augment and len(self.spec.input_shape) != _PICTURE:
                raise ConfigError(
                    f"{section}.augment flips and shifts pictures, and {self.spec.name!r} has "
                    f"inputs of shape {self.spec.input_shape}; leave it out"
                )
        if config.server.distill:
            check_own_loss(self.server_trainer.model, config.model.name)
        if config.tensorboard:
            check_tensorboard()
        for trainer in (self.server_trainer, self.edge_trainer):
            template_of(trainer.model)
        if is_plugin(config.model.name) or config.model.init not in ("shared", "independent"):
            _ = self.initial  # looked through while nothing is written yet

    @cached_property
    def initial(self) -> list[Array]:
        """The weights that a run with a shared init starts from.

        The model that they come from and the one that is trained are two builds: weights must
        be all that they need to answer alike.
        """
        spec = self.spec
        model = initial_model(self.config, spec, "shared")
        weights: list[Array] = model.get_weights()
        inputs = probe_inputs(spec.input_shape, spec.bounds, spec.dtype)
        check_round_trip(self.server_trainer.model, model, inputs, name=self.config.model.name)
        return weights

    @cached_property
    def server_trainer(self) -> KerasTrainer:
        """The server's compiled model."""
        return self._trainer(self.config.server)

    @cached_property
    def edge_trainer(self) -> KerasTrainer:
        """The edges' compiled model."""
        return self._trainer(self.config.edge)

    def scorer(self, trainer: KerasTrainer, test: Examples) -> KerasScorer:
        """Scores a trainer's model; one for all who share the model and the test set.

        Args:
            trainer: the server's or the edges'.
            test: the test set, the same object for those who share it.
        """
        key = (id(trainer.model), id(test))  # of objects that the scorer keeps alive
        if key not in self._scorers:
            logits = gives_logits(self.config.model)
            self._scorers[key] = KerasScorer(trainer.model, test, logits=logits)
        return self._scorers[key]

    def _trainer(self, settings: FitConfig) -> KerasTrainer:
        return KerasTrainer(
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
            # Another place than the initial model's: what is drawn beside the weights shows.
            model = build_model(self.config, self.spec, "compiled")
            self._compiled[compilation] = CompiledModel(
                model,
                compilation,
                input_shape=self.spec.input_shape,
                logits=gives_logits(self.config.model),
                value_range=self.spec.bounds,
                whole=self.spec.may_be_tokens,
                listener=silent if self._compiled else self.listener,
            )
        return self._compiled[compilation]
