"""Where an edge's own data is: a place on its disk, or a function of its owner's."""

from pathlib import Path
from typing import Any

import numpy as np

from ecavg_tf.core.errors import DataError, brief
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.template import Array
from ecavg_tf.data.arrays import call_function, inputs_of
from ecavg_tf.data.edge_sources import arrays_of
from ecavg_tf.data.labels import native_labels
from ecavg_tf.plugins import is_plugin

FLAG = "--data"


def data_place(text: str) -> Path | str:
    """A path, or the name of a function ``module:function``."""
    return text if is_plugin(text) else user_path(text)


def arrays_from_function(name: str, edge: str) -> dict[str, Array]:
    """Calls a function that returns what a data function returns for one edge.

    Args:
        name: ``module:function``; it is called without arguments.
        edge: whose data it is.

    Returns:
        The arrays that an ``.npz`` file may have, by name.

    Raises:
        ConfigError: the function is not there.
        DataError: it fails, or returns something else.
    """
    where = f"{FLAG}={name!r}"
    given = arrays_of(where, edge, call_function(name, FLAG))
    return {str(key): _array(f"{where}, {key}", str(key), value) for key, value in given.items()}


def _array(where: str, name: str, value: Any) -> Array:
    if name.startswith("x_"):
        return inputs_of(where, value)
    if name.startswith("y_"):
        return native_labels(where, value)
    try:
        return np.asarray(value)
    except ValueError as error:  # lists of different lengths
        raise DataError(f"{where}: no array: {brief(error)}") from error
