"""Means that a minority of edges can't take anywhere, whatever they send.

Every edge counts alike: examples are a mere claim. Median and trimmed mean take every coordinate
by itself. The others judge whole updates, and are weighted means whose shares the updates' inner
products give (``server.geometry``).
Source of the first two: D. Yin, Y. Chen, K. Ramchandran, P. Bartlett, "Byzantine-robust
distributed learning: towards optimal statistical rates", ICML 2018 (arXiv 1803.01498),
definitions 1 and 2.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array, Template
from server.geometry import Matrix, Vector, blocks, lengths, squared_distances

Stack = NDArray[np.float64]


def median_of(values: Stack) -> Stack:
    """The coordinate-wise median: ``g_k = med{x_k^i : i in [m]}``.

    With fewer than half of the edges hostile, each coordinate stays between honest values.

    Args:
        values: shape (edges, …).

    Returns:
        Shape (…); with an even number of edges the mean of the middle two.
    """
    middle: Stack = np.median(values, axis=0)
    return middle


def trimmed_mean_of(values: Stack, trim: float) -> Stack:
    """The coordinate-wise trimmed mean: ``g_k = 1 / ((1 - 2b) m) * sum of x in U_k``.

    ``U_k`` is what is left of ``{x_k^i}`` without its largest and smallest ``b`` share. Here the
    share is rounded up to whole edges, and at least one edge is left.

    Args:
        values: shape (edges, …).
        trim: the share ``b`` that is left out at either end, in [0, 0.5).
    """
    count = len(values)
    cut = min(math.ceil(trim * count - 1e-9), (count - 1) // 2)
    middle: Stack = np.sort(values, axis=0)[cut : count - cut].mean(axis=0)
    return middle


def combined_by(
    rule: Callable[[Stack], Stack],
    updates: Sequence[Update],
    template: Template,
    base: Sequence[Array],
) -> list[Array]:
    """Combines updates value by value; memory is a piece of every update.

    Args:
        rule: from values of shape (edges, n) to shape (n,), each of its own column alone.
        updates: checked updates, at least one.
        template: the run's template.
        base: the model that the round started from, in template order; what nobody sent, and
            state, is taken from it.

    Returns:
        Weights in template order, in the template's dtypes.
    """
    combined = []
    for spec, kept in zip(template.weights, base, strict=True):
        senders = [update for update in updates if spec.averaged and spec.key in update.keys]
        made = np.array(kept, spec.dtype, order="C")
        flat = made.reshape(-1)  # the same memory
        for first, stop in blocks(flat.size, len(senders)) if senders else ():
            values = np.stack([update.part(spec.key, first, stop) for update in senders])
            flat[first:stop] = rule(values.astype(np.float64)).astype(spec.dtype)
        combined.append(made)
    return combined


def geometric_median_shares(products: Matrix, *, most: int = 100) -> Vector:
    """Shares of the geometric median: the point whose distances to all updates sum to least.

    ``v* = argmin_v sum_i |v - w_i|``, by Weiszfeld's steps ``v = sum_i b_i w_i / sum_i b_i`` with
    ``b_i = 1 / max(nu, |v - w_i|)``. Fewer than half of the edges can't take it anywhere.
    Source: K. Pillutla, S. Kakade, Z. Harchaoui, "Robust aggregation for federated learning"
    (arXiv 1912.13445), algorithm 2, with nu a millionth of the largest change. ``v`` is always a
    mean of the updates, so its distances follow from their inner products.

    Args:
        products: ``inner_products`` of the updates, shape (n, n).
        most: how many steps at most.

    Returns:
        Shape (n,), above 0, summing to 1.
    """
    count = len(products)
    shares = np.full(count, 1.0 / count)
    smallest = 1e-6 * max(float(lengths(products).max()), 1e-30)
    for _ in range(most):
        along = products @ shares
        squares = products.diagonal() - 2 * along + shares @ along
        weights = 1.0 / np.maximum(np.sqrt(np.maximum(squares, 0.0)), smallest)
        made: Vector = weights / weights.sum()
        if np.abs(made - shares).max() < 1e-9:
            return made
        shares = made
    return shares


def multi_krum_shares(products: Matrix, trim: float) -> Vector:
    """Shares of Multi-Krum: the mean of the updates that have the closest neighbours.

    With ``f`` of ``n`` edges hostile, an update's score is the sum of its squared distances to
    its ``n - f - 2`` closest; the ``n - f`` of the lowest scores are averaged.
    Source: P. Blanchard et al., "Machine learning with adversaries: Byzantine tolerant gradient
    descent", NeurIPS 2017, section 4; it promises something for ``n >= 2 f + 3``.

    Args:
        products: ``inner_products`` of the updates, shape (n, n).
        trim: ``f`` as a share of the edges, rounded up, in [0, 0.5).

    Returns:
        Shape (n,): equal shares of those that are averaged, 0 of the others.
    """
    count = len(products)
    hostile = min(math.ceil(trim * count - 1e-9), (count - 1) // 2)
    near = max(1, count - hostile - 2)
    distances = np.sort(squared_distances(products), axis=1)  # the first is that to itself
    scores = distances[:, 1 : 1 + near].sum(axis=1)
    taken = np.argsort(scores, kind="stable")[: count - hostile]
    shares = np.zeros(count)
    shares[taken] = 1.0 / len(taken)
    return shares


def clipped_factors(products: Matrix) -> Vector:
    """By what each change is multiplied so that none is longer than their median length.

    ``w = start + mean_i (min(1, c / |d_i|) d_i)`` with the changes ``d_i`` and ``c`` the median of
    ``|d_i|``: norm clipping, Z. Sun et al. (arXiv 1911.07963), section 4, with a bound that
    follows the round.

    Returns:
        Shape (n,), in (0, 1].
    """
    norms = lengths(products)
    bound = float(np.median(norms))
    factors: Vector = np.divide(bound, norms, out=np.ones_like(norms), where=norms > bound)
    return factors
