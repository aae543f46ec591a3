"""How the updates of a round lie to each other: lengths, angles and distances of their changes.

The *change* of an update is what it makes of the trained weights of the model that the round
started from. All that is asked about changes as vectors (lengths, angles, distances, their means
with any shares) follows from their inner products, so these are taken once, weight by weight.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array, Role, Template

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]
_BLOCK = 2**22  # values of all updates together that are in memory at once


def inner_products(updates: Sequence[Update], template: Template, base: Sequence[Array]) -> Matrix:
    """The inner products of all changes; beside them, memory is a piece of every update.

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
        flat = np.asarray(start).ravel()
        for first, stop in blocks(flat.size, len(updates)):
            part = flat[first:stop].astype(np.float64)
            changes = np.zeros((len(updates), len(part)))
            for change, update in zip(changes, updates, strict=True):
                if spec.key in update.keys:
                    np.subtract(update.part(spec.key, first, stop), part, out=change)
            with np.errstate(over="ignore", invalid="ignore"):
                products += changes @ changes.T
    return products


def blocks(size: int, updates: int) -> Iterator[tuple[int, int]]:
    """Cuts a weight into pieces ``[first, stop)`` of which memory holds one of every update.

    Args:
        size: values of the weight.
        updates: how many updates.
    """
    step, stop = max(2, _BLOCK // updates), 0
    while stop < size:
        first, stop = stop, stop + step
        if size - stop <= 1:  # numpy adds up a column that stands alone in another order
            stop = size
        yield first, stop


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
    totals = products.sum(axis=1)
    return _cosines(products.diagonal(), totals, totals.sum())


def usual_cosines(products: Matrix) -> Vector:
    """For each change, the median cosine of another to the rest, as if this one weren't there.

    This one's products are in no sum. To take them off afterwards would not do: where it is huge,
    nothing of the others' would be left. Memory is a few times that of the products.

    Returns:
        Shape (updates,), of at least two updates.
    """
    totals = np.zeros_like(products)  # of a row's change with all but a column's
    totals[:, 1:] = np.cumsum(products[:, :-1], axis=1)
    totals[:, :-1] += np.cumsum(products[:, :0:-1], axis=1)[:, ::-1]
    np.fill_diagonal(totals, 0.0)
    cosines = _cosines(products.diagonal()[:, None], totals, totals.sum(axis=0))
    others = ~np.eye(len(products), dtype=np.bool_)
    each = cosines.T[others].reshape(len(products), -1)
    medians: Vector = np.median(each, axis=1)
    return medians


def _cosines(squares: Matrix, totals: Matrix, whole: Matrix) -> Matrix:
    """Cosines of changes to the sum of the others.

    Args:
        squares: their squared lengths.
        totals: each one's product with the sum of all, itself included.
        whole: the squared length of that sum.
    """
    along = totals - squares
    others = whole - 2 * totals + squares  # the squared length of the others' sum
    scale = np.sqrt(np.maximum(squares * others, 0.0))
    cosines: Matrix = np.divide(along, scale, out=np.zeros_like(along), where=scale > 0)
    return cosines
