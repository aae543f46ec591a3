"""Training by ``model.fit``, fixed to the bit by (seed, round, who, epoch).

One compiled model serves everybody who trains in a process: weights are swapped in
and out, and whatever else could leak from one fit into the next (optimizer state,
dropout's seed state, the batch order) is set anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from ecavg_tf.config import FitConfig
from ecavg_tf.config.choices import JitCompile
from ecavg_tf.core.anatomy import Anatomy
from ecavg_tf.core.checkpoint import Checkpoint
from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.seeds import epoch_order, permutation
from ecavg_tf.core.template import Array, Template
from ecavg_tf.data.dataset import Examples
from ecavg_tf.data.pipeline import batches, steps
from ecavg_tf.events import Detail, Listener, Note, Trained, silent
from ecavg_tf.models.assigning import set_weights
from ecavg_tf.models.batchnorm import BATCH
from ecavg_tf.models.builders import template_of
from ecavg_tf.models.inputs import token_ids
from ecavg_tf.training.balance import class_weight
from ecavg_tf.training.callbacks import RateWarmup, Reseed, Tell, rate_callbacks
from ecavg_tf.training.compiled import CompiledModel
from ecavg_tf.training.ending import Ending, ending_of
from ecavg_tf.training.own_methods import blaming_own_methods
from ecavg_tf.training.resuming import Backup, checkpoint_path, fit_key
from ecavg_tf.training.sizing import batches_at_once
from ecavg_tf.training.users_callbacks import (
    blaming_callbacks,
    tensorboard_callback,
    users_callbacks,
)


@dataclass
class Spent:
    """Examples that fits and recalibrations went through; every pass over one counts."""

    trained: int = 0
    recalibrated: int = 0


_COMPILES = {JitCompile.AUTO: None, JitCompile.ON: True, JitCompile.OFF: False}


class KerasTrainer:
    """Fits and recalibrates lists of weights with one compiled model.

    Args:
        compiled: the model; others may train with it in between.
        settings: how to train: an edge's or the server's part of the config.
        seed: the run's seed.
        tensorboard: where TensorBoard logs go; None: nowhere.
        listener: told of batches and epochs.
        checkpoints: folder for the state after an epoch; None: a killed fit begins again.

    Attributes:
        spent: what it went through, and what trainers that were made from it went through.
    """

    def __init__(
        self,
        compiled: CompiledModel,
        settings: FitConfig,
        *,
        seed: int,
        tensorboard: Path | None = None,
        listener: Listener = silent,
        checkpoints: Path | None = None,
    ) -> None:
        # What a user's callbacks keep between epochs is not known.
        self._checkpoints = None if settings.callbacks else checkpoints
        self._keeps = checkpoints
        self.model = compiled.model
        self.settings = settings
        self._compiled = compiled
        self._seed = seed
        self._listener = listener
        self._tensorboard = tensorboard
        self.spent = Spent()

    def aside(self, settings: FitConfig) -> "KerasTrainer":
        """A trainer with other settings on the same compiled model, for a fit beside the run's own.

        It tells nobody and keeps nothing: what it makes is not kept, either.
        """
        made = KerasTrainer(self._compiled, settings, seed=self._seed)
        made.spent = self.spent
        return made

    def with_settings(self, settings: FitConfig) -> "KerasTrainer":
        """This trainer with other settings, of the same ``Compilation``."""
        if settings == self.settings:
            return self
        made = KerasTrainer(
            self._compiled,
            settings,
            seed=self._seed,
            tensorboard=self._tensorboard,
            listener=self._listener,
            checkpoints=self._keeps,
        )
        made.spent = self.spent
        return made

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
        settings = self.settings
        self._compiled.reset(weights, settings.learning_rate)
        mine, ending = ending_of(
            settings, examples, round_number, who, seed=self._seed, loss_on=self._compiled.loss_on
        )
        first, keeping = self._resumed(weights, examples, round_number, who, ending)
        orders = [
            epoch_order(len(mine), self._seed, round_number, who, epoch)
            for epoch in range(first, settings.epochs)
        ]
        if ending is not None and (ending.ends or not orders):
            ending.give_best(self.model)
        elif orders:
            with blaming_own_methods(self.model), blaming_callbacks(settings.callbacks):
                ended = self._fit(self._compiled.learned(mine), orders, round_number, who, keeping)
            self.spent.trained += len(examples) * (ended - first)
            self._tell_stopped(ended, len(mine), who)
        trained: list[Array] = self.model.get_weights()
        return trained

    def _tell_stopped(self, ended: int, count: int, who: str) -> None:
        left = self.settings.epochs - ended
        if left:
            text = f"{who} stops after epoch {ended}: its held-out loss no longer falls"
            self._listener(Trained(left * count))  # which nobody waits for any more
            self._listener(Detail(text))

    def _resumed(
        self,
        weights: Sequence[Array],
        examples: Examples,
        round_number: int,
        who: str,
        ending: Ending | None,
    ) -> tuple[int, list[keras.callbacks.Callback]]:
        """Sets the state that a killed fit has kept; its epochs, and what keeps the next ones."""
        state, first = self._compiled.state, []
        if ending is not None:
            state, first = partial(ending.with_mine, self._compiled.state), [ending]
        if self._checkpoints is None:
            return 0, first
        path = checkpoint_path(self._checkpoints, who)
        checkpoint = Checkpoint(path)
        key = fit_key(self.settings, weights, examples, self._seed, round_number, who)
        epochs = 0
        try:
            # To read all variables takes as long as a small fit's step.
            found = checkpoint.load(key, state()) if checkpoint.key() == key else None
        except WorkdirError as error:
            self._listener(Note(f"{error}; {who} trains from the beginning"))
            found = None
        if found is not None:
            kept, epochs = found
            self._compiled.restore(kept if ending is None else ending.without_mine(kept))
        return epochs, [*first, Backup(checkpoint, key, state)]

    def _fit(
        self,
        examples: Examples,
        orders: Sequence[NDArray[np.int64]],
        round_number: int,
        who: str,
        keeping: Sequence[keras.callbacks.Callback],
    ) -> int:
        """Trains; gives the number of the last epoch, from 1."""
        settings, count = self.settings, len(examples)
        mine, theirs = self._callbacks(round_number, who, count)
        keras_fits = partial(
            self.model.fit,
            epochs=settings.epochs,
            initial_epoch=settings.epochs - len(orders),
            verbose=0,
            shuffle=False,
            callbacks=[*keeping, *mine, *theirs],
        )
        first = settings.epochs - len(orders)
        size, stepper = settings.batch_size, self._compiled.stepper
        weigh = class_weight(settings, examples)
        with token_ids():
            if not stepper.usable:
                of_epoch = steps(count, size)
                feed = batches(examples, orders, size)
                done = keras_fits(feed, steps_per_epoch=of_epoch, class_weight=weigh)
                return first + len(done.epoch)
            each = None
            if weigh is not None:
                each = np.array([weigh[label] for label in examples.labels.tolist()], np.float32)
            warms = any(isinstance(each, RateWarmup) for each in mine)  # step by step
            at_once = 1 if warms else batches_at_once(self.model, settings, theirs, stepper.say)
            with stepper.feeding(examples, size, each, _COMPILES[settings.jit_compile]):
                fed = stepper.orders(orders, at_once)
                done = keras_fits(fed, steps_per_epoch=steps(count, size))
        return first + len(done.epoch)

    def recalibrate(
        self, weights: Sequence[Array], examples: Examples, *, round_number: int, who: str
    ) -> list[Array]:
        """Re-estimates BatchNorm statistics; see ``batchnorm``.

        Args:
            weights: in ``get_weights()`` order; not changed.
            examples: what to draw ``recalibrate_examples`` from.
            round_number: the round, from 1.
            who: an edge's name or ``"server"``.

        Returns:
            ``weights`` with new statistics; all others are the same to the bit.
        """
        if not self._compiled.recalibrate.layers:
            return list(weights)
        set_weights(self.model, weights)
        order = permutation(len(examples), self._seed, "recalibrate", round_number, who)
        order = order[: self.settings.recalibrate_examples or len(examples)]
        self.spent.recalibrated += len(order)
        self._compiled.recalibrate(batches(examples, [order], BATCH))
        recalibrated: list[Array] = self.model.get_weights()
        return recalibrated

    @property
    def anatomy(self) -> Anatomy:
        """Where the model keeps its head and its BatchNorm."""
        return self._compiled.anatomy

    @property
    def template(self) -> Template:
        """The weights of the model."""
        return template_of(self.model)

    @property
    def held(self) -> frozenset[int] | None:
        """Keras can change all weights."""
        return None

    def runs(self, weights: Sequence[Array]) -> bool:
        """Keras can predict with any weights."""
        del weights
        return True

    def save(self, weights: Sequence[Array], folder: Path, name: str) -> None:
        """Saves the model with these weights as ``NAME.keras``; see ``saving.save_model``."""
        self._compiled.saver.save(weights, folder, name)

    def _callbacks(
        self, round_number: int, who: str, count: int
    ) -> tuple[list[keras.callbacks.Callback], list[keras.callbacks.Callback]]:
        """Those that every fit gets, and those that a user asked for."""
        settings = self.settings
        callbacks: list[keras.callbacks.Callback] = [
            Reseed(self._compiled.chance, self._seed, round_number, who),
            Tell(self._listener, round_number, who, count, settings.epochs, settings.batch_size),
        ]
        callbacks += rate_callbacks(settings, steps(count, settings.batch_size))
        if self._tensorboard is not None:
            folder = self._tensorboard / f"{round_number:04d}-{who}"
            callbacks.append(tensorboard_callback(folder))
        return callbacks, users_callbacks(settings.callbacks, round_number, who)
