"""A training bundle's model, loaded in this device's runtime."""

import hashlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.bundles.batches import padded
from ecavg_tf.core.bundles.training_bundle import TrainingBundle
from ecavg_tf.core.checkpoint import State
from ecavg_tf.core.errors import ExportError, brief
from ecavg_tf.core.template import Array
from edge.device.runtime import Runtime

_SIGNATURES = ("features", "train", "infer", "get_weights", "set_weights")
_AT_ONCE = 64  # of a file that takes any number of rows
_ONE = np.float32(1)


class TrainingModel:
    """The model of a training bundle.

    Args:
        runtime: what runs it.
        bundle: the bundle.
        threads: how many the runtime may use; 0: one a core. Training steps are small:
            one is the fastest for most models.

    Raises:
        ExportError: the runtime refuses it, or it is no training file.
    """

    def __init__(self, runtime: Runtime, bundle: TrainingBundle, threads: int = 1) -> None:
        self.info = bundle.info
        self.sha256 = hashlib.sha256(bundle.model).hexdigest()
        self._runtime = runtime
        # Kept: signature runners do not keep their interpreter alive.
        self._interpreter = runtime.interpreter(bundle.model, threads or os.cpu_count() or 1)
        found = self._interpreter.get_signature_list()
        missing = [name for name in _SIGNATURES if name not in found]
        if missing:
            raise ExportError(f"the file has no signature {', '.join(missing)}: it does not train")
        self._runners = {name: self._interpreter.get_signature_runner(name) for name in _SIGNATURES}
        self._one_hot = np.eye(len(self.info.classes), dtype=np.float32)
        # A file of an earlier version has an open batch, and no input of this name.
        self._one = {} if self.info.batch is None else {"one": _ONE}

    def fresh(self, weights: Sequence[Array]) -> State:
        """A state with these weights and a new optimizer."""
        slots = [np.zeros_like(w) for _ in range(self.info.optimizer.slots) for w in weights]
        return State(tuple(weights), tuple(slots), 0.0)

    def set(self, state: State) -> None:
        """Takes a state over."""
        named: dict[str, Array] = {
            **{f"weight_{number}": value for number, value in enumerate(state.weights)},
            **{f"slot_{number}": value for number, value in enumerate(state.slots)},
            "step": np.asarray(state.step, np.float32),
        }
        values = {name: np.asarray(value, np.float32) for name, value in named.items()}
        self._call("set_weights", **values, **self._one)

    def get(self) -> State:
        """The state as it is."""
        named = self._call("get_weights", **self._one)
        weights = [named[f"weight_{number}"] for number in range(len(self.info.held))]
        slots = [
            named[f"slot_{number}"] for number in range(self.info.optimizer.slots * len(weights))
        ]
        return State(tuple(weights), tuple(slots), float(named["step"]))

    def features(self, inputs: Array) -> NDArray[np.float32]:
        """What the layers before the trained ones make of raw inputs, shape (n, …)."""
        return self._rows("features", "image", inputs, self.info.feature_shape)

    def train(self, features: Array, labels: NDArray[np.int64], learning_rate: float) -> float:
        """One step on one batch.

        Args:
            features: what ``features`` made of its examples, shape (n, …).
            labels: shape (n,).
            learning_rate: of this step.

        Returns:
            The batch's mean cross-entropy before the step, nats.
        """
        answer = self._call(
            "train",
            x=self._batch(features),
            y=self._batch(self._one_hot[labels]),
            learning_rate=np.float32(learning_rate),
        )
        return float(answer["loss"])

    def infer(self, features: Array) -> NDArray[np.float32]:
        """Probabilities of shape (n, classes) under the weights as they are."""
        return self._rows("infer", "x", features, (len(self.info.classes),))

    def _rows(
        self, signature: str, name: str, values: Array, shape: tuple[int, ...]
    ) -> NDArray[np.float32]:
        """The one output of a signature for any number of rows."""
        found, size = [np.zeros((0, *shape), np.float32)], self.info.batch or _AT_ONCE
        for at in range(0, len(values), size):
            rows = values[at : at + size].astype(np.float32)
            (answer,) = self._call(signature, **{name: self._batch(rows)}).values()
            found.append(answer[: len(rows)])
        return np.concatenate(found)

    def _batch(self, values: Array) -> Array:
        return values if self.info.batch is None else padded(values, self.info.batch)

    def _call(self, signature: str, **inputs: Any) -> dict[str, Array]:
        try:
            answers: dict[str, Array] = self._runners[signature](**inputs)
        except (ValueError, RuntimeError, TypeError) as error:
            raise ExportError(f"{self._runtime} fails in {signature!r}: {brief(error)}") from error
        return answers
