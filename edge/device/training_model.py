"""A training bundle's model, loaded in this device's runtime."""

import hashlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.bundles.training_bundle import TrainingBundle
from ecavg_tf.core.checkpoint import State
from ecavg_tf.core.errors import ExportError, brief
from ecavg_tf.core.template import Array
from edge.device.runtime import Runtime

_SIGNATURES = ("features", "train", "infer", "get_weights", "set_weights")
_AT_ONCE = 64


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
        self._call("set_weights", **{k: np.asarray(v, np.float32) for k, v in named.items()})

    def get(self) -> State:
        """The state as it is."""
        named = self._call("get_weights")
        weights = [named[f"weight_{number}"] for number in range(len(self.info.held))]
        slots = [
            named[f"slot_{number}"] for number in range(self.info.optimizer.slots * len(weights))
        ]
        return State(tuple(weights), tuple(slots), float(named["step"]))

    def features(self, inputs: Array) -> NDArray[np.float32]:
        """What the layers before the trained ones make of raw images, shape (n, …)."""
        parts = [
            self._call("features", image=inputs[at : at + _AT_ONCE].astype(np.float32))["features"]
            for at in range(0, len(inputs), _AT_ONCE)
        ]
        if not parts:
            return np.zeros((0, *self.info.feature_shape), np.float32)
        return np.concatenate(parts)

    def train(self, features: Array, labels: NDArray[np.int64], learning_rate: float) -> float:
        """One step on one batch.

        Returns:
            The batch's mean cross-entropy before the step, nats.
        """
        answer = self._call(
            "train",
            x=features,
            y=self._one_hot[labels],
            learning_rate=np.float32(learning_rate),
        )
        return float(answer["loss"])

    def infer(self, features: Array) -> NDArray[np.float32]:
        """Probabilities of shape (n, classes) under the weights as they are."""
        parts = [
            self._call("infer", x=features[at : at + _AT_ONCE])["probabilities"]
            for at in range(0, len(features), _AT_ONCE)
        ]
        if not parts:
            return np.zeros((0, len(self.info.classes)), np.float32)
        return np.concatenate(parts)

    def _call(self, signature: str, **inputs: Any) -> dict[str, Array]:
        try:
            answers: dict[str, Array] = self._runners[signature](**inputs)
        except (ValueError, RuntimeError, TypeError) as error:
            raise ExportError(f"{self._runtime} fails in {signature!r}: {brief(error)}") from error
        return answers
