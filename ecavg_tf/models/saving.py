"""Saves users' own Keras models, with a plain error where Keras can't."""

import os
from pathlib import Path

import keras
import numpy as np

from ecavg_tf.core.errors import WorkdirError, brief
from ecavg_tf.core.files import atomic_path, open_regular
from ecavg_tf.core.zips import open_zip

WHOLE, WEIGHTS = ".keras", ".weights.h5"
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
    """Loads what ``save_model`` wrote into a model that is built the same way.

    Raises:
        WorkdirError: neither file can be loaded.
    """
    path = folder / (name + WHOLE)
    if not path.exists():
        path = folder / (name + WEIGHTS)
    try:
        _check_whole(path)
        model.load_weights(path)
    except Exception as error:  # Keras and HDF5 raise many kinds
        raise WorkdirError(
            f"{path} is damaged ({brief(error)}); take a copy of it, or run into a new directory"
        ) from error
