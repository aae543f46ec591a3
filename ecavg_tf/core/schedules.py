"""Learning-rate schedules; the cosine has the same bits in Keras and on a device."""

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


def warmup_factor(step: int, steps: int, share: float) -> float:
    """Linear warm-up: what the learning rate of a step is multiplied by (arXiv 1706.02677).

    Adam's first steps are the longest where its second moments are new, as in every round.

    Args:
        step: which one of the whole fit, from 0.
        steps: how many there are.
        share: of them, over which the rate rises.
    """
    return min(1.0, (step + 1) / max(1.0, share * steps))


_MOST_TIMES = 100


def pool_factor(pooled: int, examples: int) -> float:
    """A smaller learning rate for a small pool: the root of the share that is pooled.

    The averaged model carries what was not uploaded, and a few examples should not move it as
    far as all of them would. With a tenth pooled the rate is multiplied by 0.32: 1e-3 becomes
    3e-4, which was found better for MobileNetV2 on CIFAR-10.

    Args:
        pooled: examples of the pool.
        examples: those that the edges trained on.
    """
    return math.sqrt(min(1.0, pooled / max(1, examples)))


def pool_epochs(epochs: int, pooled: int, examples: int) -> int:
    """Passes over a small pool that see as many examples as passes over everything would.

    Args:
        epochs: passes over everything.
        pooled: examples of the pool, at least one.
        examples: those that the edges trained on. Edges say how many that are, so this lengthens
            the training 100 times at most.
    """
    return max(epochs, min(round(epochs * examples / pooled), _MOST_TIMES * epochs))
