"""The state of training after its last finished epoch, as one file that is always whole."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.fields import Fields
from ecavg_tf.core.files import canonical_json
from ecavg_tf.core.messages.update_file import TensorFile, save_tensors
from ecavg_tf.core.template import Array, weights_sha256


@dataclass(frozen=True)
class State:
    """Everything that training changes.

    Attributes:
        weights: the trained weights, in the model's or the bundle's order.
        slots: the optimizer's variables, in its or the file's order.
        step: steps that the optimizer made, where no slot counts them.
    """

    weights: tuple[Array, ...]
    slots: tuple[Array, ...]
    step: float


class Checkpoint:
    """Keeps one state; a new one replaces it whole.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def save(self, key: str, epochs: int, state: State, *, synced: bool = True) -> None:
        """Writes the state after ``epochs`` finished epochs of the training ``key``.

        Args:
            key: names the training.
            epochs: how many are finished.
            state: the state.
            synced: whether it must survive a loss of power, not only of the process.
        """
        named = {
            **{f"weight_{number}": value for number, value in enumerate(state.weights)},
            **{f"slot_{number}": value for number, value in enumerate(state.slots)},
        }
        metadata = {"key": key, "epochs": epochs, "step": state.step}
        metadata["sha256"] = _sha256(epochs, state)
        save_tensors(self._path, named, metadata, synced=synced)

    def key(self) -> str | None:
        """Which training the file is of; None: there is none.

        Raises:
            WorkdirError: the file is damaged.
        """
        if not self._path.exists():
            return None
        try:
            return str(TensorFile(self._path).metadata["key"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._damaged(error) from error

    def load(self, key: str, like: State) -> tuple[State, int] | None:
        """The state of this very training and its finished epochs; None: there is none.

        Args:
            key: names the training.
            like: a state of the same shapes.

        Raises:
            WorkdirError: the file is damaged.
        """
        if self.key() != key:
            return None
        try:
            stored = TensorFile(self._path)
            weights = tuple(stored[f"weight_{number}"] for number in range(len(like.weights)))
            slots = tuple(stored[f"slot_{number}"] for number in range(len(like.slots)))
            said = Fields(stored.metadata)
            state, epochs = State(weights, slots, said.number("step")), said.count("epochs")
            if _shapes(state) != _shapes(like):
                raise ValueError("its arrays have other shapes than the training file's")
            if stored.metadata.get("sha256") != _sha256(epochs, state):
                raise ValueError("its content does not match the hash that was written with it")
        except (KeyError, TypeError, ValueError) as error:
            raise self._damaged(error) from error
        return state, epochs

    def _damaged(self, error: Exception) -> WorkdirError:
        return WorkdirError(f"{self._path} is damaged ({error}); remove it")


def _shapes(state: State) -> list[tuple[tuple[int, ...], str]]:
    return [(array.shape, array.dtype.name) for array in (*state.weights, *state.slots)]


def _sha256(epochs: int, state: State) -> str:
    """Of all that training goes on from: safetensors itself would not see a flipped bit."""
    facts = [epochs, state.step, weights_sha256((*state.weights, *state.slots))]
    return hashlib.sha256(canonical_json(facts).encode()).hexdigest()
