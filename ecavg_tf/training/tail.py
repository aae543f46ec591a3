"""The mean of a fit's last epochs: stochastic weight averaging.

Izmailov et al., "Averaging weights leads to wider optima and better generalization" (arXiv
1803.05407), algorithm 1, with one model an epoch: w = (w_{E-k+1} + ... + w_E) / k for the weights
w_e after epoch e of E, and k = ``server.tail_epochs``. BatchNorm is recalibrated afterwards, as
after every fine-tuning.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.checkpoint import State
from ecavg_tf.core.template import Array


class TailMean(keras.callbacks.Callback):  # type: ignore[misc]
    """Sums the weights of the last epochs, and sets their mean when the fit ends.

    Sums are float64. Weights that are no floats (seeds, counters) stay as the last epoch left them.

    Args:
        epochs: of the fit.
        tail: of how many of these the mean is taken; more than ``epochs``: of all.
    """

    ends = False  # no fit is over early

    def __init__(self, epochs: int, tail: int) -> None:
        super().__init__()
        self._first = max(0, epochs - tail)
        self._sums: list[NDArray[np.float64]] = []
        self._count = 0

    def with_mine(self, fitted: Callable[[], State]) -> State:
        """A fit's state, which ``fitted`` gives, and the sums after its slots."""
        state = fitted()
        sums = self._sums or [np.zeros(each.shape) for each in state.weights]
        return replace(state, slots=(*state.slots, *sums, np.array([self._count], np.int64)))

    def without_mine(self, state: State) -> State:
        """The fit's part of what ``with_mine`` gave; the fit that begins goes on from the rest."""
        self._count = int(state.slots[-1][0])
        own = state.slots[-1 - len(state.weights) : -1]
        self._sums = [np.array(each, np.float64) for each in own] if self._count else []
        return replace(state, slots=state.slots[: -1 - len(state.weights)])

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds the weights of an epoch of the tail."""
        del logs
        if epoch < self._first:
            return
        weights = [np.asarray(each, np.float64) for each in self.model.get_weights()]
        if self._count:
            weights = [a + b for a, b in zip(self._sums, weights, strict=True)]
        self._sums = weights
        self._count += 1

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Sets the mean."""
        del logs
        self.give_best(self.model)

    def give_best(self, model: keras.Model) -> None:
        """Sets the mean, also where all epochs were over when the fit was killed."""
        if not self._count:
            return
        last: list[Array] = model.get_weights()
        model.set_weights(
            [
                (total / self._count).astype(each.dtype)
                if np.issubdtype(each.dtype, np.floating)
                else each
                for total, each in zip(self._sums, last, strict=True)
            ]
        )
