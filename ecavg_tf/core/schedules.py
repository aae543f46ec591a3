"""Learning-rate schedules, with the same bits in Keras and on a device."""

import math


def cosine_rate(learning_rate: float, epoch: int, epochs: int) -> float:
    """Cosine annealing: lr · (1 + cos(π · epoch / epochs)) / 2 (arXiv 1608.03983).

    By epoch and not by step, so it does not depend on how many examples an edge has.

    Args:
        learning_rate: that of the first epoch.
        epoch: which one, from 0.
        epochs: how many there are.
    """
    return learning_rate * ((1 + math.cos(math.pi * epoch / epochs)) / 2)
