"""A probe: a few outputs of a model, by which another program shows that it has the same model.

Two models may have weights of the same shapes and still compute different things: another
activation, another rescaling of pixels. With the same weights, they differ on pictures of noise.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.errors import ModelError
from ecavg_tf.core.seeds import uniforms
from ecavg_tf.core.template import Array

COUNT = 8
TOLERANCE = 0.01  # float32 kernels differ by about 1e-6 here

Probe = tuple[tuple[float, ...], ...]


def probe_inputs(shape: Sequence[int], value_range: tuple[Any, Any], dtype: str) -> Array:
    """The pictures that both programs draw.

    Args:
        shape: of one example.
        value_range: lowest and highest value of a raw input, or of each feature: an array each.
        dtype: numpy's name of raw inputs' dtype.

    Returns:
        Noise over the whole range, shape (8, …).
    """
    low, high = value_range
    drawn = uniforms(COUNT * int(np.prod(shape)), 0, "probe").reshape(COUNT, *shape)
    noise = low + (high - low) * drawn
    kind = np.dtype(dtype)
    values = np.rint(noise) if np.issubdtype(kind, np.integer) else noise
    return np.asarray(values.astype(kind))


def as_probe(probabilities: Array) -> Probe | None:
    """Answers of shape (8, classes), as they travel.

    None: some are NaN or infinite, and can't tell one model from another.
    """
    if not np.isfinite(probabilities).all():
        return None
    return tuple(tuple(float(value) for value in row) for row in probabilities)


def check_probe(expected: Probe, found: NDArray[np.float32]) -> None:
    """Makes sure that a model answers as another.

    Args:
        expected: the other's answers.
        found: its own, probabilities of shape (8, classes), under the same weights.

    Raises:
        ModelError: it does not.
    """
    if [len(row) for row in expected] != [found.shape[1]] * len(found):
        raise ModelError(
            f"the training file gives {found.shape[1]} classes, the server's model "
            f"{len(expected[0]) if expected else 0}; export one from this run"
        )
    difference = float(np.abs(np.asarray(expected) - found).max())
    if not difference <= TOLERANCE:
        raise ModelError(
            "the training file is of another model: with the server's weights its answers are up "
            f"to {difference:.2g} off the server's (at most {TOLERANCE:g} is rounding); export one "
            "from this run"
        )
