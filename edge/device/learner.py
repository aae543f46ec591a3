"""Training on a device without TensorFlow, in the same batch order as the Keras trainer."""

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.anatomy import Anatomy
from ecavg_tf.core.bundles.training_bundle import TrainingInfo, frozen_sha256
from ecavg_tf.core.checkpoint import Checkpoint, State
from ecavg_tf.core.deciding.predictions import Predictions, compare_with_labels
from ecavg_tf.core.errors import ConfigError, DataError, DivergedError, ModelError
from ecavg_tf.core.files import canonical_json
from ecavg_tf.core.seeds import epoch_order
from ecavg_tf.core.template import Array, Template, weights_sha256
from ecavg_tf.data.dataset import Examples
from ecavg_tf.events import EpochEnded, Listener, silent
from edge.device.training_model import TrainingModel
from edge.device.training_settings import TrainingSettings

_OTHER = (
    "the training file is of another model: layers that it keeps frozen came with other "
    "weights; set model.train=head in the run, or export a file of this model"
)


class DeviceTrainer:
    """Trains lists of weights in template order; only those that the file holds change.

    Args:
        model: the loaded training model.
        settings: how to train.
        seed: the run's seed.
        checkpoint: where the state after every epoch goes; None: nowhere.
        listener: told of epochs.
        older: gives the training model of other frozen layers by their hash, where this
            device still has one: models that it accepted before may need it to predict.

    Raises:
        ConfigError: the settings ask for larger batches than the file takes.
    """

    def __init__(
        self,
        model: TrainingModel,
        settings: TrainingSettings,
        *,
        seed: int,
        checkpoint: Path | None = None,
        listener: Listener = silent,
        older: Callable[[str], TrainingModel | None] = lambda _: None,
    ) -> None:
        most = model.info.batch
        if most is not None and settings.batch_size > most:
            raise ConfigError(
                f"the training file takes batches of at most {most} examples, "
                f"{settings.batch_size} are to be in one; give a smaller batch size, or export a "
                "file for this one (--batch-size)"
            )
        self._older = older
        self._model = model
        self._info = model.info
        self._settings = settings
        self._seed = seed
        self._checkpoint = None if checkpoint is None else Checkpoint(checkpoint)
        self._listener = listener
        self._features: dict[tuple[str, str], NDArray[np.float32]] = {}

    @property
    def info(self) -> TrainingInfo:
        """What its training file says of itself."""
        return self._info

    @property
    def template(self) -> Template:
        """The whole model's weights."""
        return self._info.template

    @property
    def held(self) -> frozenset[int] | None:
        """Positions of the weights that it can change."""
        return frozenset(self._info.held)

    @property
    def anatomy(self) -> Anatomy:
        """Where the head is; BatchNorm is frozen here."""
        return Anatomy(self._info.head, self._info.head_bias, ())

    def recalibrate(
        self, weights: Sequence[Array], examples: Examples, *, round_number: int, who: str
    ) -> list[Array]:
        """The same weights: frozen BatchNorm keeps its statistics."""
        del examples, round_number, who
        return list(weights)

    def save(self, weights: Sequence[Array], folder: Path, name: str) -> None:
        """Nothing more: the edge's store keeps the accepted weights by their keys."""

    def fit(
        self, weights: Sequence[Array], examples: Examples, *, round_number: int, who: str
    ) -> list[Array]:
        """Trains for the configured epochs; goes on where a killed process stopped.

        Args:
            weights: where to start, in template order; not changed.
            examples: what to train on.
            round_number: the round, from 1.
            who: the edge's name.

        Returns:
            The trained weights.

        Raises:
            ModelError: the start's other layers are not those that the file was made with.
            DivergedError: the loss is no number.
        """
        self.check_frozen(weights)
        held = [weights[at] for at in self._info.held]
        trained = self.fit_held(held, examples, round_number=round_number, who=who)
        return self._merged(weights, trained)

    def fit_held(
        self, held: Sequence[Array], examples: Examples, *, round_number: int, who: str
    ) -> list[Array]:
        """Like ``fit``, for the weights alone that the file trains, in its order."""
        if len(examples) == 0:
            raise DataError(f"{who} has no examples to train on")
        key = self.training_key(held, examples, round_number=round_number, who=who)
        state, first = self._start(held, key)
        self._model.set(state)
        batch = self._batches(examples)
        for epoch in range(first, self._settings.epochs):
            began = time.monotonic()
            order = epoch_order(len(examples), self._seed, round_number, who, epoch)
            loss = self._epoch(batch, order, self._settings.rate(epoch))
            if not math.isfinite(loss):
                raise DivergedError(
                    f"{who}: the loss is no number in round {round_number}, epoch {epoch + 1}; "
                    "lower edge.learning_rate"
                )
            if self._checkpoint is not None:
                self._checkpoint.save(key, epoch + 1, self._model.get())
            told = EpochEnded(
                round_number, who, epoch + 1, self._settings.epochs, loss, math.nan,
                time.monotonic() - began,
            )  # fmt: skip
            self._listener(told)
        return list(self._model.get().weights)

    def _start(self, held: Sequence[Array], key: str) -> tuple[State, int]:
        fresh = self._model.fresh(held)
        if self._checkpoint is None:
            return fresh, 0
        found = self._checkpoint.load(key, fresh)
        return (fresh, 0) if found is None else found

    def _epoch(
        self,
        batch: Callable[[NDArray[np.int64]], tuple[Array, NDArray[np.int64]]],
        order: NDArray[np.int64],
        rate: float,
    ) -> float:
        """Mean loss over the epoch's examples."""
        total, size = 0.0, self._settings.batch_size
        for at in range(0, len(order), size):
            features, labels = batch(order[at : at + size])
            total += self._model.train(features, labels, rate) * len(labels)
        return total / len(order)

    def _batches(
        self, examples: Examples
    ) -> Callable[[NDArray[np.int64]], tuple[Array, NDArray[np.int64]]]:
        """What turns indices into a batch; a backbone's features are computed once."""
        if self._info.frozen_layers:
            cached = self._cached(examples, self._model)
            return lambda indices: (cached[indices], examples.labels[indices])
        return lambda indices: (
            self._model.features(examples.inputs[indices]),
            examples.labels[indices],
        )

    def _cached(self, examples: Examples, model: TrainingModel) -> NDArray[np.float32]:
        if not self._info.frozen_layers:
            return model.features(examples.inputs)
        key = (model.info.frozen_sha256, _sha256(examples.inputs))
        if key not in self._features:
            self._features[key] = model.features(examples.inputs)
        return self._features[key]

    def training_key(
        self, held: Sequence[Array], examples: Examples, *, round_number: int, who: str
    ) -> str:
        """A hash of all that ``fit_held`` depends on: of the same key, the same bits."""
        settings = self._settings
        facts = [
            self._seed, round_number, who, settings.epochs, settings.batch_size,
            settings.learning_rate, settings.cosine, weights_sha256(held),
            _sha256(examples.inputs), _sha256(examples.labels), self._info.frozen_sha256,
            self._model.sha256, asdict(self._info.optimizer),
        ]  # fmt: skip
        return hashlib.sha256(canonical_json(facts).encode()).hexdigest()

    def check_frozen(self, weights: Sequence[Array]) -> None:
        """Makes sure that the layers which the file can't change are the ones it has.

        Raises:
            ModelError: they are not.
        """
        if self._frozen(weights) != self._info.frozen_sha256:
            raise ModelError(_OTHER)

    def runs(self, weights: Sequence[Array]) -> bool:
        """Whether this device has a file whose frozen layers are these."""
        return self._model_of(weights) is not None

    def _model_of(self, weights: Sequence[Array]) -> TrainingModel | None:
        frozen = self._frozen(weights)
        return self._model if frozen == self._info.frozen_sha256 else self._older(frozen)

    def _frozen(self, weights: Sequence[Array]) -> str:
        template = self._info.template
        shapes = [(tuple(w.shape), w.dtype.name) for w in weights]
        if shapes != [(spec.shape, spec.dtype) for spec in template.weights]:
            raise ModelError(
                f"the training file is of another model: it knows {len(template.weights)} weights, "
                f"{len(weights)} of other shapes came; export one from this run"
            )
        return frozen_sha256(weights, self._info.held)

    def _merged(self, weights: Sequence[Array], trained: Sequence[Array]) -> list[Array]:
        merged = [np.array(weight) for weight in weights]
        for at, value in zip(self._info.held, trained, strict=True):
            merged[at] = np.array(value)
        return merged

    def predictions(self, weights: Sequence[Array], examples: Examples) -> Predictions:
        """What the model says of examples under ``weights``."""
        model = self._model_of(weights)
        if model is None:
            raise ModelError(_OTHER)
        return self.predictions_of([weights[at] for at in self._info.held], examples, model)

    def predictions_of(
        self, held: Sequence[Array], examples: Examples, model: TrainingModel | None = None
    ) -> Predictions:
        """Like ``predictions``, for the weights alone that the file trains.

        Args:
            held: in the file's order.
            examples: what to predict.
            model: whose frozen layers they belong to; None: its own.
        """
        if len(examples) == 0:
            return Predictions(np.zeros(0), np.zeros(0, np.bool_))
        model = self._model if model is None else model
        model.set(model.fresh(held))
        outputs = model.infer(self._cached(examples, model))
        return compare_with_labels(outputs, examples.labels, logits=False)

    def probabilities(self, weights: Sequence[Array], inputs: Array) -> NDArray[np.float32]:
        """What the model says of examples without labels, shape (n, classes)."""
        model = self._model_of(weights)
        if model is None:
            raise ModelError(_OTHER)
        model.set(model.fresh([weights[at] for at in self._info.held]))
        return model.infer(model.features(inputs))


def _sha256(array: Array) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
