"""Saves users' own Keras models, with a plain error where Keras can't."""

from pathlib import Path

import keras

from ecavg_tf.core.errors import WorkdirError, brief
from ecavg_tf.core.files import atomic_path

WHOLE, WEIGHTS = ".keras", ".weights.h5"


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
            model.save_weights(temporary)
        return folder / (name + WEIGHTS)
    with atomic_path(folder / (name + WHOLE)) as temporary:
        model.save(temporary, include_optimizer=False)
    return folder / (name + WHOLE)


def load_weights(model: keras.Model, folder: Path, name: str) -> None:
    """Loads what ``save_model`` wrote into a model that is built the same way.

    Raises:
        WorkdirError: neither file can be loaded.
    """
    path = folder / (name + WHOLE)
    if not path.exists():
        path = folder / (name + WEIGHTS)
    try:
        model.load_weights(path)
    except Exception as error:  # Keras and HDF5 raise many kinds
        raise WorkdirError(
            f"{path} is damaged ({brief(error)}); take a copy of it, or run into a new directory"
        ) from error
