"""Arrays from numpy's own files, which may be damaged or hostile: nothing is unpickled."""

import warnings
from pathlib import Path

import numpy as np

from ecavg_tf.core.errors import DataError, brief
from ecavg_tf.core.files import NotRegularError, open_regular
from ecavg_tf.core.template import Array


def read_arrays(path: Path) -> dict[str, Array]:
    """All arrays of an ``.npz`` file by name, or that of an ``.npy`` file as ``x``.

    Raises:
        DataError: it can't be read, or holds Python objects.
    """
    try:
        # Opened here: numpy leaves its own handle open where the zip is damaged.
        with open_regular(path) as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"x": loaded}
            with loaded:
                found = {name: loaded[name] for name in loaded.files}
    except FileNotFoundError as error:
        raise DataError(f"{path} is not there") from error
    except NotRegularError as error:
        raise DataError(f"{path} is no regular file; give the .npz or .npy file itself") from error
    except Exception as error:  # zipfile and numpy raise many kinds
        raise DataError(
            f"{path} can't be read as numpy arrays: {brief(error)}; save plain numbers with "
            "numpy.savez"
        ) from error
    for name, array in found.items():
        if not isinstance(array, np.ndarray):  # numpy hands out such members as bytes
            raise DataError(f"{path}: {name} is no array; save the file with numpy.savez")
    return found
