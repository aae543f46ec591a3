"""Containers that numpy can't take as they are, or takes for something else."""

from typing import Any

import numpy as np

from ecavg_tf.core.errors import DataError

LABELS = "labels"
_RAGGED = "to_tensor"
_DENSE = {  # what containers of another kind have, and how they become an array
    "toarray": "{}.toarray()",
    _RAGGED: "{}.to_tensor().numpy(), which fills short rows with zeros",
    "dense_shape": "tf.sparse.to_dense({}).numpy()",
}


def check_dense(where: str, what: str, given: Any) -> None:
    """Refuses masked values, and sparse or ragged containers.

    Args:
        where: whose they are, for an error.
        what: ``inputs`` or ``labels``.
        given: anything that should be an array.

    Raises:
        DataError: says how to make an array of it.
    """
    if np.ma.isMaskedArray(given) and np.ma.is_masked(given):
        raise DataError(f"{where}: {what} have masked values; give {what}.filled(…)")
    for method, cure in _DENSE.items():
        if hasattr(type(given), method):
            kind = type(given).__name__
            if method == _RAGGED and what == LABELS:  # no filling makes labels of these
                raise DataError(
                    f"{where}: labels are a {kind}; expected one whole number for each example, of "
                    "shape (n,)"
                )
            raise DataError(f"{where}: {what} are a {kind}; give an array: {cure.format(what)}")
