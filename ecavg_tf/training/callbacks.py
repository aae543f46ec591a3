"""Keras callbacks that every fit gets."""

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from ecavg_tf.config import FitConfig, Schedule, ServerConfig
from ecavg_tf.core.schedules import cosine_rate, warmup_factor
from ecavg_tf.events import EpochEnded, Listener, Trained
from ecavg_tf.training.chance import Chance


class Reseed(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets all that a training step draws from by the place in the run, each epoch.

    Dropout and augmentation keep their state: without this, what one edge drew would shift
    what the next one draws.

    Args:
        chance: the random state of the step.
        seed: the run's seed.
        round_number: the round, from 1.
        who: an edge's name or ``"server"``.
    """

    def __init__(self, chance: Chance, seed: int, round_number: int, who: str) -> None:
        super().__init__()
        self._chance = chance
        self._seed = seed
        self._place: tuple[str | int, ...] = ("generator", round_number, who)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Assigns the epoch's seeds."""
        del logs
        self._chance.reset(self._seed, *self._place, epoch)


class Cosine(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets the learning rate of ``cosine_rate``, each epoch.

    Args:
        learning_rate: that of the first epoch.
        epochs: how many there are.
    """

    def __init__(self, learning_rate: float, epochs: int) -> None:
        super().__init__()
        self._learning_rate = learning_rate
        self._epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Assigns the epoch's learning rate."""
        del logs
        rate = cosine_rate(self._learning_rate, epoch, self._epochs)
        self.model.optimizer.learning_rate = rate


class RateWarmup(keras.callbacks.Callback):  # type: ignore[misc]
    """Lets the learning rate rise over the first steps of a fit, up to what its schedule says.

    Args:
        rate_of: the schedule's rate of an epoch.
        share: of all steps, over which the rate rises.
        epochs: how many there are.
        steps: of one epoch.
    """

    def __init__(
        self, rate_of: Callable[[int], float], share: float, epochs: int, steps: int
    ) -> None:
        super().__init__()
        self._rate_of, self._share = rate_of, share
        self._steps, self._all = steps, epochs * steps
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Remembers the epoch."""
        del logs
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Assigns the step's learning rate, as long as it rises."""
        del logs
        step = self._epoch * self._steps + batch
        if step < self._share * self._all:
            factor = warmup_factor(step, self._all, self._share)
            self.model.optimizer.learning_rate = self._rate_of(self._epoch) * factor


class Tell(keras.callbacks.Callback):  # type: ignore[misc]
    """Turns Keras' callbacks into events.

    Args:
        listener: who is told.
        round_number: the round, from 1.
        who: an edge's name or ``"server"``.
        count: examples an epoch.
        epochs: how many epochs.
        batch_size: examples a step.
    """

    def __init__(
        self,
        listener: Listener,
        round_number: int,
        who: str,
        count: int,
        epochs: int,
        batch_size: int,
    ) -> None:
        super().__init__()
        self._listener = listener
        self._round, self._who = round_number, who
        self._count, self._epochs, self._batch_size = count, epochs, batch_size
        self._began = 0.0
        self._seen = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts the epoch's clock."""
        del epoch, logs
        self._began = time.monotonic()
        self._seen = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Tells how many examples were seen since the last time; several batches may end here."""
        del logs
        seen = min(self._count, (batch + 1) * self._batch_size)
        self._listener(Trained(seen - self._seen))
        self._seen = seen

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Tells loss and accuracy on the training data."""
        logs = logs or {}
        self._listener(
            EpochEnded(
                round=self._round,
                who=self._who,
                epoch=epoch + 1,
                epochs=self._epochs,
                loss=float(logs.get("loss", math.nan)),
                accuracy=float(logs.get("accuracy", math.nan)),
                seconds=time.monotonic() - self._began,
            )
        )


def rate_callbacks(settings: FitConfig, of_epoch: int) -> list[keras.callbacks.Callback]:
    """What sets the learning rate of a fit, where it does not stay as it is.

    Args:
        settings: of the fit.
        of_epoch: steps of an epoch.
    """
    callbacks: list[keras.callbacks.Callback] = []
    if settings.schedule is Schedule.COSINE:
        callbacks.append(Cosine(settings.learning_rate, settings.epochs))
    if isinstance(settings, ServerConfig) and settings.rate_warmup > 0:
        share = settings.rate_warmup
        callbacks.append(RateWarmup(partial(rate_of, settings), share, settings.epochs, of_epoch))
    return callbacks


def rate_of(settings: FitConfig, epoch: int) -> float:
    """The learning rate of an epoch, by the schedule."""
    if settings.schedule is Schedule.COSINE:
        return cosine_rate(settings.learning_rate, epoch, settings.epochs)
    return settings.learning_rate
