"""Epoch checkpoints of a fit: a killed one goes on after its last kept epoch, to the same bits.

Batches, seeds and learning rates are set from the epoch's number, so weights and the optimizer's
variables are all that training goes on from. (Keras' ``BackupAndRestore`` does not know which fit
a file is of, nor whether a bit of it was flipped.)
"""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ecavg_tf.config import FitConfig
from ecavg_tf.config.fields import to_dict
from ecavg_tf.core.checkpoint import Checkpoint, State
from ecavg_tf.core.files import canonical_json
from ecavg_tf.core.template import Array, weights_sha256
from ecavg_tf.data.dataset import Examples

FOLDER = "checkpoints"  # in a run's or an edge's directory
WORTH_S = 0.5  # less work than this is sooner done again than kept
EVERY_S = 5.0  # more work than this must survive a loss of power, too


class Backup(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the state after an epoch: a killed process repeats the one it was in.

    Of the epochs before, it repeats half a second at most: to write the state of a small model
    after each epoch takes as long as the epoch. After seconds of work the file is also on the
    disk, not only in the system's memory.

    Args:
        checkpoint: where to.
        key: names the fit.
        state: gives the state.
    """

    def __init__(self, checkpoint: Checkpoint, key: str, state: Callable[[], State]) -> None:
        super().__init__()
        self._checkpoint = checkpoint
        self._key = key
        self._state = state
        self._kept = self._synced = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the file."""
        del logs
        now = time.monotonic()
        if now - self._kept < WORTH_S:
            return
        due = now - self._synced >= EVERY_S
        self._checkpoint.save(self._key, epoch + 1, self._state(), synced=due)
        self._kept = time.monotonic()
        if due:
            self._synced = self._kept


def fit_key(
    settings: FitConfig, weights: Sequence[Array], examples: Examples, *place: int | str
) -> str:
    """A hash of all that a fit depends on: of the same key, the same bits.

    Args:
        settings: how to train.
        weights: where from.
        examples: on what.
        place: seed, round and who.
    """
    data = [hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
            for array in (examples.inputs, examples.answers)]  # fmt: skip
    facts = [to_dict(settings), weights_sha256(weights), *data, *place]
    return hashlib.sha256(canonical_json(facts).encode()).hexdigest()


def drop_checkpoints(workdir: Path, names: Iterable[str]) -> None:
    """Removes the checkpoints of fits whose results are kept.

    Args:
        workdir: the run's or the edges' directory.
        names: who trained.
    """
    for name in names:
        checkpoint_path(workdir / FOLDER, name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # another process' edges may have theirs there, or nobody
        (workdir / FOLDER).rmdir()


def checkpoint_path(folder: Path, who: str) -> Path:
    """Where the checkpoint of an edge or of the server lies."""
    return folder / f"{who}.safetensors"
