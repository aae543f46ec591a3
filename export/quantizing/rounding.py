"""Rounds weights so that the layer's answers change least, not each weight by itself.

Rounding to the nearest treats every weight alike. What a layer computes of its inputs x
changes by (W - Q)'x, in the mean square by the trace of (W - Q)' G (W - Q) with G = E[x x'],
and where inputs go together (neighbouring pixels do) errors can cancel. The weights of one
input after the other are rounded, and what the rest can still make up for is moved there
(Frantar et al. 2023, GPTQ, arXiv 2210.17323, after Hassibi and Stork's optimal brain surgeon):

    q_i = round(w_i),   w_j -= (w_i - q_i) U_ij / U_ii  for j > i,   U'U = inverse of G (Cholesky)
"""

import numpy as np
from numpy.typing import NDArray

from export.quantizing.grid import STEPS

Doubles = NDArray[np.float64]
_DAMPING = 0.01  # share of G's mean diagonal: few examples know little of what goes together
_BLOCK = 64


def rounded_to_fit(weights: Doubles, gram: Doubles, largest: Doubles) -> Doubles:
    """Weights on their grid, chosen together.

    Args:
        weights: shape (groups, inputs, outputs).
        gram: E[x x'] of each group, shape (groups, inputs, inputs).
        largest: largest absolute weights, shape (groups, 1, outputs). They define the grid
            and stay as they are, so that a converter finds the same grid.

    Returns:
        Multiples of ``largest / 127``, shape of ``weights``.
    """
    groups, inputs, _ = weights.shape
    diagonal = np.einsum("gii->gi", gram)
    order = np.argsort(-diagonal, axis=1, kind="stable")[..., np.newaxis]
    damping = _DAMPING * diagonal.mean(axis=1) + 1e-12
    gram = gram + damping[:, np.newaxis, np.newaxis] * np.eye(inputs)
    gram = np.take_along_axis(np.take_along_axis(gram, order, 1), np.moveaxis(order, 1, 2), 2)
    upper = np.swapaxes(np.linalg.cholesky(np.linalg.inv(gram)), 1, 2)
    left = np.take_along_axis(weights, order, 1)
    pinned = np.abs(left) >= largest
    chosen = np.zeros_like(left)
    for start in range(0, inputs, _BLOCK):
        block = slice(start, min(start + _BLOCK, inputs))
        errors = _block(left, pinned, largest, upper, block, chosen)
        left[:, block.stop :] -= np.swapaxes(upper[:, block, block.stop :], 1, 2) @ errors
    found = np.zeros((groups, inputs, weights.shape[2]))
    np.put_along_axis(found, np.broadcast_to(order, found.shape), chosen, 1)
    return found


def _block(
    left: Doubles,
    pinned: NDArray[np.bool_],
    largest: Doubles,
    upper: Doubles,
    block: slice,
    chosen: Doubles,
) -> Doubles:
    """Rounds a block of inputs into ``chosen``; gives each one's error over its U_ii."""
    errors = np.zeros((len(left), block.stop - block.start, left.shape[2]))
    step = largest[:, 0] / STEPS
    for i in range(block.start, block.stop):
        nearest = np.clip(np.round(left[:, i] / step), -STEPS, STEPS)
        steps = np.where(pinned[:, i], STEPS * np.sign(left[:, i]), nearest)
        chosen[:, i] = steps * step
        error = (left[:, i] - chosen[:, i]) / upper[:, i, i, np.newaxis]
        errors[:, i - block.start] = error
        rest = slice(i + 1, block.stop)
        left[:, rest] -= upper[:, i, rest, np.newaxis] * error[:, np.newaxis]
    return errors
