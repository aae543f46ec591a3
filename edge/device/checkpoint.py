"""The state of training after its last finished epoch, as one file that is always whole."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.files import canonical_json, remove_leftovers
from ecavg_tf.core.locks import lock_folder
from ecavg_tf.core.messages.update_file import TensorFile, save_tensors
from ecavg_tf.core.template import weights_sha256
from edge.device.training_model import State

CHECKPOINT = "learner.safetensors"  # in an edge's folder


class Checkpoint:
    """Keeps one state; a new one replaces it whole.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def save(self, key: str, epochs: int, state: State) -> None:
        """Writes the state after ``epochs`` finished epochs of the training ``key``."""
        named = {
            **{f"weight_{number}": value for number, value in enumerate(state.weights)},
            **{f"slot_{number}": value for number, value in enumerate(state.slots)},
        }
        metadata = {"key": key, "epochs": epochs, "step": state.step}
        save_tensors(self._path, named, {**metadata, "sha256": _sha256(epochs, state)})

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
            state = State(weights, slots, float(stored.metadata["step"]))
            epochs = int(stored.metadata["epochs"])
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


@contextmanager
def locked(folder: Path, flag: str = "--state") -> Iterator[None]:
    """Keeps a second process from the same state while the block runs.

    What a killed process left half-written there is removed.

    Args:
        folder: an edge's own folder; made when missing.
        flag: what the user gives the folder with.

    Raises:
        WorkdirError: another process has it, or the folder can't be written.
    """
    try:
        lock = lock_folder(folder)
    except BlockingIOError as error:
        raise WorkdirError(
            f"{folder} is in use by another process; stop it, or give this one another {flag}"
        ) from error
    except OSError as error:
        raise WorkdirError(
            f"{error.filename or folder}: {error.strerror or error}; give a {flag} folder that "
            "can be written"
        ) from error
    with lock:
        remove_leftovers(folder)
        yield
