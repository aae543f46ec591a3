"""How the updates of a round lie to each other: lengths, angles and distances of their changes.

The *change* of an update is what it makes of the trained weights of the model that the round
started from. All that is asked about changes as vectors (lengths, angles, distances, their means
with any shares) follows from their inner products, so these are taken once, weight by weight.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array, Role, Template

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]
_BLOCK = 2**22  # values of all edges together that are in memory at once


def inner_products(updates: Sequence[Update], template: Template, base: Sequence[Array]) -> Matrix:
    """The inner products of all changes; memory is one weight of every edge.

    A weight that an edge left out did not change.

    Args:
        updates: checked updates, at least one.
        template: the run's template.
        base: the model that the round started from, in template order.

    Returns:
        Shape (updates, updates), symmetric; infinite where float64 can't hold a product.
    """
    products = np.zeros((len(updates), len(updates)))
    for spec, start in zip(template.weights, base, strict=True):
        if spec.role is not Role.TRAINABLE:
            continue
        sent = [update[spec.key].ravel() if spec.key in update.keys else None for update in updates]
        flat = np.asarray(start, np.float64).ravel()
        step = max(1, _BLOCK // len(updates))
        for at in range(0, flat.size, step):
            part = flat[at : at + step]
            changes = np.stack(
                [np.zeros_like(part) if one is None else one[at : at + step] - part for one in sent]
            )
            with np.errstate(over="ignore", invalid="ignore"):
                products += changes @ changes.T
    return products


def lengths(products: Matrix) -> Vector:
    """The Euclidean norm of each change, shape (updates,)."""
    norms: Vector = np.sqrt(products.diagonal())
    return norms


def squared_distances(products: Matrix) -> Matrix:
    """``|a - b|² = a·a + b·b - 2 a·b`` of all pairs, shape (updates, updates)."""
    squares = products.diagonal()
    apart: Matrix = np.maximum(squares[:, None] + squares[None, :] - 2 * products, 0.0)
    return apart


def cosines_to_the_rest(products: Matrix) -> Vector:
    """The cosine between each change and the sum of the others', shape (updates,).

    0 where one of the two is a change of nothing.
    """
    squares, totals = products.diagonal(), products.sum(axis=1)
    along = totals - squares  # with the sum of the others
    others = products.sum() - 2 * totals + squares  # its squared length
    scale = np.sqrt(np.maximum(squares * others, 0.0))
    cosines: Vector = np.divide(along, scale, out=np.zeros(len(along)), where=scale > 0)
    return cosines
