"""Batches of the size that a training file was made for."""

import numpy as np

from ecavg_tf.core.template import Array


def padded(values: Array, rows: int) -> Array:
    """Values and rows of zeros after them: in labels such a row counts for nothing.

    Args:
        values: shape (n, …), n at most ``rows``.
        rows: how many there will be.
    """
    if len(values) == rows:
        return values
    missing = np.zeros((rows - len(values), *values.shape[1:]), values.dtype)
    return np.concatenate([values, missing])
