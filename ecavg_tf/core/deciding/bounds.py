"""Confidence statements that hold for small samples, in numpy alone.

``mean_lower_bound`` is Gaffke's bound (Mathematical Methods of Statistics 14, 2005;
Learned-Miller and Thomas, arXiv 1905.06208). Student's t misses rare disasters that a
small sample has not shown yet. Gaffke's bound counts one of them as if it had been
seen: it adds the worst possible value to the sample.
"""

import math
import statistics
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_NORMAL = statistics.NormalDist()
_FAR = 38.0  # standard deviations: what float64 can still tell from 0
_PRECISION = 1e-6  # of a bound, as a share of what it bounds
# Nodes of the trapezoidal rule, which converges exponentially for a smooth integrand.
_STEP = 0.05
_NODES = np.arange(0.0, 14.0, _STEP)
_CHUNK = 20
_LARGEST = 1e100


def mean_lower_bound(
    values: NDArray[np.float64],
    lowest: float,
    level: float,
    counts: NDArray[np.float64] | None = None,
) -> float:
    """One-sided lower confidence bound of a mean, for any distribution above ``lowest``.

    The level-quantile of sum(w_i x_i), where x is the sample and ``lowest`` itself, and w
    is uniform on the simplex. For values of 0 and 1 this is the Clopper-Pearson bound,
    exactly. That it holds for every bounded distribution is a conjecture without a known
    counterexample.

    Args:
        values: independent observations, shape (n,).
        lowest: no observation can be lower.
        level: chance that the bound is above the true mean, in (0, 0.5].
        counts: how often each value was seen, shape (n,), above 0; None: once. Parts of an
            observation are allowed, which planning a sample needs.

    Returns:
        The bound; ``lowest`` if there are no observations.

    Raises:
        ValueError: a value is below ``lowest`` or not finite, or the level is not in
            (0, 0.5].
    """
    if not 0 < level <= 0.5:
        raise ValueError(f"a level must be above 0 and at most 0.5, not {level}")
    if len(values) == 0:
        return lowest
    if not values.min() >= lowest:
        raise ValueError(f"a value is {values.min()}, below the lowest possible {lowest}")
    if not values.max() < _LARGEST:
        raise ValueError(f"a value is {values.max()}; values must be below {_LARGEST:g}")
    often = np.append(np.ones(len(values)) if counts is None else counts, 1.0)
    support, where = np.unique(np.append(values, lowest), return_inverse=True)
    total = np.bincount(where, often)
    mean = float(values.mean() if counts is None else np.average(values, weights=counts))
    if mean - lowest <= 1e-12 * (1 + abs(lowest)):
        return lowest

    def excess(threshold: float) -> float:
        return _quantile(_chance_below(support, total, threshold)) - _NORMAL.inv_cdf(level)

    return _root(excess, lowest, mean, _PRECISION * (mean - lowest))


def shift_to_zero(values: NDArray[np.float64], lowest: float, level: float) -> float:
    """How much all values would have to rise for ``mean_lower_bound`` to be 0.

    The worst possible value stays where it is, so this is more than minus the bound.

    Args:
        values: independent observations, shape (n,), at least one.
        lowest: no observation can be lower; below 0.
        level: of the bound.

    Returns:
        The shift; below 0 if the bound is above 0 already.
    """
    support, counts = np.unique(values, return_counts=True)
    counts = np.append(counts, 1)

    def excess(shift: float) -> float:
        chance = _chance_below(np.append(support + shift, lowest), counts, 0.0)
        return _NORMAL.inv_cdf(level) - _quantile(chance)

    below = -float(values.mean())
    step = max(1e-3, abs(below), float(values.std()))
    while excess(below + step) <= 0:
        step *= 2
    return _root(excess, below, below + step, _PRECISION * step) + _PRECISION * step


def _quantile(chance: float) -> float:
    """A chance as a normal quantile, in which bounds are nearly straight lines."""
    return _NORMAL.inv_cdf(min(max(chance, 1e-300), 1 - 1e-15))


def _root(rising: Callable[[float], float], below: float, above: float, width: float) -> float:
    """Where a rising function crosses 0, from below, by the Illinois false position.

    Args:
        rising: the function; at ``below`` it is taken to be far under 0.
        below: under the root.
        above: over the root, or at it.
        width: how exact.
    """
    at_below, at_above = -_FAR, rising(above)
    if at_above <= 0:
        return above
    last = 0
    for _ in range(100):
        middle = (below * at_above - above * at_below) / (at_above - at_below)
        middle = min(max(middle, below + width / 4), above - width / 4)
        value = rising(middle)
        side = 1 if value > 0 else -1
        if value > 0:
            above, at_above = middle, value
            at_below /= 2 if side == last else 1
        else:
            below, at_below = middle, value
            at_above /= 2 if side == last else 1
        last = side
        if above - below <= width:
            break
    return below


def _chance_below(
    support: NDArray[np.float64], counts: NDArray[np.floating | np.integer], threshold: float
) -> float:
    """P(sum(w_i x_i) <= threshold) for w uniform on the simplex.

    w is a vector of exponentials over their sum, so this is the chance that the sum of
    E_i (x_i - threshold) is at most 0: the inverse Laplace transform of the product of
    1 / (1 + s (x_i - threshold)), integrated along a vertical line in the complex plane.
    Through the saddle point the integrand does not oscillate, and the result is exact
    to many digits however small it is (Daniels, Biometrika 74, 1987).

    Args:
        support: the values that occur, shape (k,).
        counts: how often, shape (k,).
        threshold: above the smallest and below the largest value.
    """
    weights = support - threshold
    saddle = _saddle(weights, counts)
    slopes = weights / (1 + saddle * weights)
    spread = 1 / math.sqrt(float(counts @ slopes**2) + 1 / saddle**2)
    total, first = 0.0, 0.0
    for start in range(0, len(_NODES), _CHUNK):  # few nodes at a time: memory stays small
        nodes = _NODES[start : start + _CHUNK]
        line = saddle + 1j * spread * np.sinh(nodes)
        logs = -(counts @ np.log1p(np.outer(weights, line))) - np.log(line)
        integrand = np.exp(logs).real * spread * np.cosh(nodes)
        first = first or float(integrand[0])
        total += float(integrand.sum())
        if abs(integrand).max() < 1e-18 * abs(first):
            break
    return (total - first / 2) * _STEP / math.pi


def _saddle(weights: NDArray[np.float64], counts: NDArray[np.floating | np.integer]) -> float:
    """Where the transform over s is least between 0 and its first pole."""
    low, high = 0.0, -1 / float(weights.min())
    point = high / 2
    for _ in range(60):  # Newton's steps where they stay inside, else bisection
        terms = weights / (1 + point * weights)
        slope = float(counts @ terms) + 1 / point
        curvature = float(counts @ terms**2) + 1 / point**2
        low, high = (point, high) if slope > 0 else (low, point)
        step = slope / curvature
        if abs(step) < 1e-9 * point:
            break
        point = point + step if low < point + step < high else (low + high) / 2
    return point


def mcnemar_mid_p(losses: int, wins: int) -> float:
    """One-sided mid-p value that a change lost accuracy (McNemar's test).

    Under no change each of the ``losses + wins`` discordant examples is a loss with
    chance 1/2; the value is P(X > losses) + P(X = losses) / 2 for binomial X (Fagerland
    et al., BMC Medical Research Methodology 13:91, 2013).

    Args:
        losses: examples that only the old model gets right.
        wins: examples that only the new model gets right.

    Returns:
        In (0, 1]; 0.5 without discordant examples.
    """
    n = losses + wins
    logs = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
        for k in range(losses, n + 1)
    ]
    chances = np.exp(logs)
    return float(chances[1:].sum() + chances[0] / 2)


def smallest_sign(level: float) -> int:
    """How many wins without a loss it takes to be beyond chance: 2**-k <= level."""
    return math.ceil(-math.log2(level) - 1e-12)
