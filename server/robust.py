"""Means that a minority of edges can't take anywhere, whatever they send.

Both take every coordinate by itself, and every edge counts alike: examples are a mere claim.
Source: D. Yin, Y. Chen, K. Ramchandran, P. Bartlett, "Byzantine-robust distributed learning:
towards optimal statistical rates", ICML 2018 (arXiv 1803.01498), definitions 1 and 2.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array, Template

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
    """Combines updates weight by weight; memory is one weight of every edge.

    Args:
        rule: from values of shape (edges, …) to shape (…).
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
        if senders:
            values = np.stack([update[spec.key].astype(np.float64) for update in senders])
            combined.append(rule(values).astype(spec.dtype))
        else:
            combined.append(np.array(kept))
    return combined
