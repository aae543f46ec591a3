"""Saves models: for people as Keras files, for a run's own use as arrays alone."""

import os
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from ecavg_tf.core.errors import WorkdirError, brief
from ecavg_tf.core.files import atomic_path, link_or_copy, open_regular
from ecavg_tf.core.messages.tensor_rest import read_whole, save_without
from ecavg_tf.core.template import Array, Template, weights_sha256
from ecavg_tf.core.zips import open_zip
from ecavg_tf.models.assigning import set_weights

WHOLE, WEIGHTS = ENDINGS = ".keras", ".weights.h5"
ARRAYS = ".safetensors"
_HEADER = 4096  # more than HDF5 needs beside the values of one variable


def save_model(model: keras.Model, folder: Path, name: str) -> Path:
    """Saves a model as ``NAME.keras``, or its weights as ``NAME.weights.h5``.

    The second is for subclassed models that can't be described because they have no
    ``get_config``: Keras loads their weights into a model that the user's code builds.

    Returns:
        The file that was written.
    """
    try:
        model.get_config()
    except (NotImplementedError, TypeError, ValueError):
        with atomic_path(folder / (name + WEIGHTS)) as temporary:
            _check_room(temporary, model)
            model.save_weights(temporary)
        return folder / (name + WEIGHTS)
    with atomic_path(folder / (name + WHOLE)) as temporary:
        model.save(temporary, include_optimizer=False)
    return folder / (name + WHOLE)


def _check_room(path: Path, model: keras.Model) -> None:
    """Asks the system for the room that a file of weights needs, then gives it back.

    HDF5 writes its last blocks as it closes a file; where it can't, the process may crash.

    Raises:
        OSError: there is not enough.
    """
    if not hasattr(os, "posix_fallocate"):  # macOS
        return
    need = sum(int(np.asarray(value).nbytes) for value in model.get_weights())
    with path.open("rb+") as stream:
        os.posix_fallocate(stream.fileno(), 0, need + _HEADER * (len(model.weights) + 8))
        stream.truncate(0)


class Saver:
    """Saves one model under many weights; equal ones are one file under several names.

    Args:
        model: whose weights are set.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._saved: dict[str, Path] = {}

    def save(self, weights: Sequence[Array], folder: Path, name: str) -> Path:
        """As ``save_model``, with these weights."""
        sha256 = weights_sha256(weights)
        known = self._saved.get(sha256)
        if known is not None and known.exists():
            path = folder / (name + known.name.removeprefix(known.name.split(".")[0]))
            link_or_copy(known, path)
            return path
        set_weights(self._model, weights)
        self._saved[sha256] = save_model(self._model, folder, name)
        return self._saved[sha256]


def save_arrays(folder: Path, name: str, template: Template, weights: Sequence[Array]) -> None:
    """Writes weights in template order as ``NAME.safetensors``."""
    save_without(folder / (name + ARRAYS), template.named(weights), {}, None)


def _check_whole(path: Path) -> None:
    """Finds damage before HDF5 reads a file, and what is no file before anybody waits for it.

    Raises:
        ValueError: a checksum is wrong.
        OSError: it can't be read, or is no regular file.
    """
    with open_regular(path) as stream:
        if path.suffix != WHOLE:  # has no checksums
            return
        with open_zip(stream) as archive:
            if (name := archive.testzip()) is not None:
                raise ValueError(f"the checksum of {name} in it is wrong")


def load_weights(model: keras.Model, folder: Path, name: str) -> None:
    """Loads what ``save_arrays`` or ``save_model`` wrote into a model that is built the same way.

    Raises:
        WorkdirError: no such file can be loaded.
    """
    found = [folder / (name + ending) for ending in (ARRAYS, WHOLE, WEIGHTS)]
    path = next((each for each in found if each.exists()), found[-1])
    try:
        if path.suffix == ARRAYS:
            model.set_weights(list(read_whole(path)[1].values()))
        else:
            _check_whole(path)
            model.load_weights(path)
    except Exception as error:  # Keras and HDF5 raise many kinds
        raise WorkdirError(
            f"{path} is damaged ({brief(error)}); take a copy of it, or run into a new directory"
        ) from error
