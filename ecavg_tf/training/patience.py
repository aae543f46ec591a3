"""Early stopping: a fit ends when its held-out examples say that it has stopped learning."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from ecavg_tf.config import FitConfig
from ecavg_tf.core.checkpoint import State
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Examples, stratified


def held_out(
    settings: FitConfig, examples: Examples, *place: str | int, seed: int
) -> tuple[Examples, Examples | None]:
    """What a fit trains on, and what tells it when to stop.

    Args:
        settings: of the fit.
        examples: what it got. An edge's guard set is not among them: it decides later, on models
            that have never seen it.
        place: of the fit, for the draw.
        seed: the run's seed.

    Returns:
        (what to train on, what is held out); None where nothing is: without ``patience``, or of
        fewer than two examples.
    """
    if not settings.patience or len(examples) < 2:
        return examples, None
    count = min(max(1, round(len(examples) * settings.stop_fraction)), len(examples) - 1)
    held = stratified(examples.labels, count, seed, "early stopping", *place)
    others = np.setdiff1d(np.arange(len(examples)), held)
    return examples.take(others), examples.take(held)


class EarlyStopping(keras.callbacks.EarlyStopping):  # type: ignore[misc]
    """Keras' own, on the held-out loss, with a state that an epoch checkpoint can keep.

    The best epoch's weights are the result of the fit.

    Args:
        patience: epochs without a lower loss, after which the fit ends.
        loss: measures the model's loss on the held-out examples.
    """

    def __init__(self, patience: int, loss: Callable[[], float]) -> None:
        super().__init__("val_loss", patience=patience, mode="min", restore_best_weights=True)
        self._loss = loss
        self._resumed: State | None = None

    def with_mine(self, fitted: Callable[[], State]) -> State:
        """A fit's state, which ``fitted`` gives, and that of the stopping after its slots."""
        state = fitted()
        best = self.best_weights or state.weights
        loss = getattr(self, "best", None)  # which there is from the first epoch on
        mine = np.array([np.inf if loss is None else loss, self.wait], np.float64)
        return replace(state, slots=(*state.slots, *best, mine))

    def without_mine(self, state: State) -> State:
        """The fit's part of what ``with_mine`` gave; the fit that begins goes on from the rest."""
        self._resumed = state
        return replace(state, slots=state.slots[: -1 - len(state.weights)])

    @property
    def ends(self) -> bool:
        """Whether a fit that goes on from a kept state has ended already."""
        return self._resumed is not None and int(self._resumed.slots[-1][1]) >= self.patience

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begins anew, or goes on from a kept state."""
        super().on_train_begin(logs)
        if self._resumed is not None:
            loss, wait = self._resumed.slots[-1].tolist()
            if np.isfinite(loss):
                self.best = loss
            self.wait = int(wait)
            self.best_weights = self._kept_best(self._resumed)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measures the held-out loss, which other callbacks see as ``val_loss``, too."""
        logs = {} if logs is None else logs
        logs["val_loss"] = self._loss()
        super().on_epoch_end(epoch, logs)

    def give_best(self, model: keras.Model) -> None:
        """Sets the weights of the best epoch, for a fit that had ended before it was killed."""
        if self._resumed is not None:
            model.set_weights(self._kept_best(self._resumed))

    @staticmethod
    def _kept_best(state: State) -> list[Array]:
        return list(state.slots[-1 - len(state.weights) : -1])
