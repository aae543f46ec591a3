"""Lower bounds of several means that hold together, from one sample.

One example says something of every candidate at once, and candidates resemble each other. So
the largest of many correlated statistics needs far less correction than Bonferroni's (Westfall
and Young, Resampling-Based Multiple Testing, 1993). Its distribution comes from Gaffke's
weights: of one candidate this is the bound of ``bounds.mean_lower_bound``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.deciding.bounds import mean_lower_bound, shift_to_zero
from ecavg_tf.core.seeds import uniforms

_DRAWS = 4096
_IN_THE_TAIL = 50  # draws beyond the bound, at least
_MOST_DRAWS = 32_768  # with a level that would need more: Bonferroni's correction
_CHUNK = 256  # draws at a time: memory stays small
_STEPS = 30  # of bisection: a millionth of where it begins


@dataclass(frozen=True)
class Draws:
    """Random weights on the simplex, applied to a sample and its worst value.

    Attributes:
        weighted: sum(w_i x_i) over the sample alone for each row, shape (rows, draws).
        worst: weight of the worst value, shape (draws,).
    """

    weighted: NDArray[np.float64]
    worst: NDArray[np.float64]


def draws_for(level: float) -> int:
    """How many draws a bound of this level takes; 0: more than are worth their time."""
    wanted = max(_DRAWS, math.ceil(_IN_THE_TAIL / level))
    return wanted if wanted <= _MOST_DRAWS else 0


def draw(values: NDArray[np.float64], count: int, seed: int, *place: str | int) -> Draws:
    """Draws weights (w_0, ..., w_n), uniform on the simplex, and applies them.

    Args:
        values: one row for each quantity, shape (rows, n).
        count: how many draws.
        seed: the run's seed.
        *place: what the draws are for.
    """
    rows, n = values.shape
    weighted, worst = np.empty((rows, count)), np.empty(count)
    for start in range(0, count, _CHUNK):
        size = min(_CHUNK, count - start)
        # Exponentials over their sum are uniform on the simplex.
        weights = -np.log(uniforms((n + 1) * size, seed, *place, start)).reshape(n + 1, size)
        weights /= weights.sum(axis=0)
        weighted[:, start : start + size] = values @ weights[1:]
        worst[start : start + size] = weights[0]
    return Draws(weighted, worst)


@dataclass(frozen=True)
class Together:
    """Bounds of several means that hold together with the chance 1 - level.

    Attributes:
        bounds: a lower bound of each mean, shape (k,).
        smallest: gives how large the mean of row j would have to be for its bound to be above 0
            if all of the row's values rose alike. It takes much longer than the bounds.
    """

    bounds: NDArray[np.float64]
    smallest: Callable[[int], float]


def bounds_together(
    values: NDArray[np.float64], drawn: Draws | None, lowest: float, level: float
) -> Together:
    """Lower confidence bounds of k means: all of them hold with the chance 1 - level.

    With m_j the mean of a row, T_j = sum(w_i x_ij) + w_0 lowest, and s_j the standard
    deviation of T_j over the draws, the bound is m_j - c s_j, where c is the
    (1 - level)-quantile over the draws of max_j (m_j - T_j) / s_j.

    Args:
        values: a row for each candidate, shape (k, n).
        drawn: what ``draw`` gives for these rows; None: each row is bounded by itself at
            level / k (Bonferroni).
        lowest: no value can be lower; below 0.
        level: chance that any bound is above its mean, in (0, 0.5].
    """
    k, means = len(values), values.mean(axis=1)
    if drawn is None or k == 1:
        bounds = [mean_lower_bound(row, lowest, level / k) for row in values]
        return Together(
            np.array(bounds),
            lambda j: float(means[j]) + shift_to_zero(values[j], lowest, level / k),
        )
    falls = means[:, np.newaxis] - (drawn.weighted + drawn.worst * lowest)
    scales = np.maximum(falls.std(axis=1), np.finfo(np.float64).tiny)
    ratios = falls / scales[:, np.newaxis]
    critical = _quantile(ratios.max(axis=0), level)
    worst = drawn.worst
    return Together(
        np.maximum(means - critical * scales, lowest),
        lambda j: float(means[j]) + _shift(j, means, falls, ratios, worst, level),
    )


def _quantile(largest: NDArray[np.float64], level: float) -> float:
    """The least value that at most a share ``level`` of the draws is above."""
    rank = min(len(largest), math.ceil((1 - level) * (len(largest) + 1)))
    return float(np.partition(largest, rank - 1)[rank - 1])


def _shift(
    j: int,
    means: NDArray[np.float64],
    falls: NDArray[np.float64],
    ratios: NDArray[np.float64],
    worst: NDArray[np.float64],
    level: float,
) -> float:
    """How much the values of row ``j`` must rise for its bound to be 0; the worst value stays."""
    others = np.delete(ratios, j, axis=0).max(axis=0)

    def bound(shift: float) -> float:
        fall = falls[j] + shift * worst
        scale = max(float(fall.std()), np.finfo(np.float64).tiny)
        return float(means[j]) + shift - scale * _quantile(np.maximum(others, fall / scale), level)

    low = -float(means[j])
    step = max(1e-3, abs(low), float(falls[j].std()))
    while bound(low + step) <= 0:
        step *= 2
    high = low + step
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if bound(middle) > 0 else (middle, high)
    return high
