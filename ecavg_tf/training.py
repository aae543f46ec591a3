"""Training by ``model.fit``, fixed to the bit by (seed, round, who, epoch).

One compiled model serves everybody who trains in a process: weights are swapped in
and out, and whatever else could leak from one fit into the next (optimizer state,
dropout's seed state, the batch order) is set anew.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ecavg_tf.batchnorm import Recalibrator
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.seeds import derive_seed, epoch_order, permutation
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Examples
from ecavg_tf.events import EpochEnded, Listener, Trained, silent
from ecavg_tf.pipeline import batches, steps


@dataclass(frozen=True)
class FitSettings:
    """How to train.

    Attributes:
        epochs: passes over the examples.
        batch_size: examples a step.
        optimizer: a Keras optimizer's name.
        learning_rate: its learning rate.
    """

    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float


class Trainer:
    """Fits and recalibrates lists of weights with one compiled model.

    Args:
        model: an uncompiled, built model; it is compiled here.
        settings: how to train.
        seed: the run's seed.
        logits: whether the model gives logits.
        listener: told of batches and epochs.
    """

    def __init__(
        self,
        model: keras.Model,
        settings: FitSettings,
        *,
        seed: int,
        logits: bool,
        listener: Listener = silent,
    ) -> None:
        self.model = model
        self.settings = settings
        self._seed = seed
        self._listener = listener
        optimizer = _optimizer(settings)
        model.compile(
            optimizer,
            keras.losses.SparseCategoricalCrossentropy(from_logits=logits),
            metrics=["accuracy"],
        )
        optimizer.build(model.trainable_variables)
        self._fresh_optimizer = [variable.numpy() for variable in optimizer.variables]
        self._recalibrator = Recalibrator(model)

    def fit(
        self, weights: Sequence[Array], examples: Examples, *, round_number: int, who: str
    ) -> list[Array]:
        """Trains from ``weights`` for the configured epochs.

        Args:
            weights: in ``get_weights()`` order; not changed.
            examples: what to train on.
            round_number: the round, from 1.
            who: an edge's name or ``"server"``.

        Returns:
            The trained weights, BatchNorm not yet recalibrated.
        """
        settings, count = self.settings, len(examples)
        self._reset(weights)
        orders = [
            epoch_order(count, self._seed, round_number, who, epoch)
            for epoch in range(settings.epochs)
        ]
        self.model.fit(
            batches(examples, orders, settings.batch_size),
            epochs=settings.epochs,
            steps_per_epoch=steps(count, settings.batch_size),
            verbose=0,
            shuffle=False,
            callbacks=[
                _Reseed(self._seed, round_number, who),
                _Tell(self._listener, round_number, who, count, settings),
            ],
        )
        trained: list[Array] = self.model.get_weights()
        return trained

    def recalibrate(
        self, weights: Sequence[Array], examples: Examples, *, round_number: int, who: str
    ) -> list[Array]:
        """Re-estimates BatchNorm statistics on ``examples``; see ``batchnorm``.

        Returns:
            ``weights`` with new statistics, the same list where there are none.
        """
        self.model.set_weights(weights)
        order = permutation(len(examples), self._seed, "recalibrate", round_number, who)
        self._recalibrator(batches(examples, [order], self.settings.batch_size))
        recalibrated: list[Array] = self.model.get_weights()
        return recalibrated

    def _reset(self, weights: Sequence[Array]) -> None:
        self.model.set_weights(weights)
        for variable, value in zip(
            self.model.optimizer.variables, self._fresh_optimizer, strict=True
        ):
            variable.assign(value)


def _optimizer(settings: FitSettings) -> keras.optimizers.Optimizer:
    try:
        return keras.optimizers.get(
            {
                "class_name": settings.optimizer,
                "config": {"learning_rate": settings.learning_rate},
            }
        )
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"optimizer {settings.optimizer!r} is not one of Keras' "
            "(sgd, adam, adamw, rmsprop, adagrad, …)"
        ) from error


class _Reseed(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets every seed generator of the model from the place in the run, each epoch."""

    def __init__(self, seed: int, round_number: int, who: str) -> None:
        super().__init__()
        self._seed = seed
        self._place: tuple[str | int, ...] = ("generator", round_number, who)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        del logs
        states = [v for v in self.model.variables if v.name == "seed_generator_state"]
        for number, state in enumerate(states):
            value = derive_seed(self._seed, *self._place, epoch, number)
            state.assign(np.array([value, 0], dtype=state.dtype))


class _Tell(keras.callbacks.Callback):  # type: ignore[misc]
    """Turns Keras' callbacks into events."""

    def __init__(
        self, listener: Listener, round_number: int, who: str, count: int, settings: FitSettings
    ) -> None:
        super().__init__()
        self._listener = listener
        self._round, self._who = round_number, who
        self._count, self._settings = count, settings
        self._began = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        del epoch, logs
        self._began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        del logs
        size = self._settings.batch_size
        self._listener(Trained(min(size, self._count - batch * size)))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = logs or {}
        self._listener(
            EpochEnded(
                round=self._round,
                who=self._who,
                epoch=epoch + 1,
                epochs=self._settings.epochs,
                loss=float(logs.get("loss", float("nan"))),
                accuracy=float(logs.get("accuracy", float("nan"))),
                seconds=time.monotonic() - self._began,
            )
        )
