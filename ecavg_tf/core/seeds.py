"""Seeds of every random choice, derived from the run's seed and from where the choice is made.

Two processes, or two versions of numpy, must draw the same batch order. So orders
are read from a bit generator's raw stream, which numpy promises never to change
(NEP 19), and not from ``Generator`` methods, which it may.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.files import canonical_json


def derive_seed(seed: int, *place: str | int) -> int:
    """A seed in [0, 2**31) for one place in a run.

    Args:
        seed: the run's seed.
        *place: what the seed is for, for example ``"fit", round, edge, epoch``.
    """
    digest = hashlib.sha256(canonical_json([seed, *place]).encode()).digest()
    return int.from_bytes(digest[:4], "little") >> 1


def _raw(n: int, seed: int, place: tuple[str | int, ...]) -> NDArray[np.uint64]:
    stream = np.random.PCG64(derive_seed(seed, *place))
    return np.atleast_1d(np.asarray(stream.random_raw(n), dtype=np.uint64))


def permutation(n: int, seed: int, *place: str | int) -> NDArray[np.int64]:
    """A random order of ``range(n)``, shape (n,), fixed by ``seed`` and ``place``."""
    return np.argsort(_raw(n, seed, place), kind="stable").astype(np.int64)


def uniforms(n: int, seed: int, *place: str | int) -> NDArray[np.float64]:
    """Uniform numbers in (0, 1), shape (n,), fixed by ``seed`` and ``place``."""
    return (_raw(n, seed, place) >> np.uint64(11)).astype(np.float64) * 2.0**-53 + 2.0**-54


def epoch_order(n: int, seed: int, round_number: int, who: str, epoch: int) -> NDArray[np.int64]:
    """The order in which epoch ``epoch`` (from 0) of ``who`` visits its n examples.

    ``who`` is an edge's name or ``"server"``. The Keras trainer and a device that
    trains without TensorFlow both use this order.
    """
    return permutation(n, seed, "order", round_number, who, epoch)
