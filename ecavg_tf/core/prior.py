"""The label prior: a model trained on one label mix, used on another."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def label_prior(class_counts: Sequence[float]) -> NDArray[np.float64]:
    """Class probabilities (n_c + 1) / (n + C), shape (C,): Laplace's rule of succession.

    No class has probability 0, however few examples there are.
    """
    counts = np.asarray(class_counts, np.float64)
    shares: NDArray[np.float64] = (counts + 1) / (counts.sum() + len(counts))
    return shares


def same_mix(class_counts: Sequence[float], trained_on: Sequence[float]) -> bool:
    """Whether examples could have been drawn from the mix that a model was trained on.

    The G-test: twice the counts' Kullback-Leibler divergence in nats is chi-squared with
    C - 1 degrees of freedom if they were. Three standard deviations over its mean is no
    chance any more.

    Args:
        class_counts: an edge's examples of each class, shape (C,).
        trained_on: the model's, shape (C,).
    """
    counts = np.asarray(class_counts, np.float64)
    n, freedom = counts.sum(), len(counts) - 1
    expected = label_prior(trained_on) * n
    seen = counts > 0
    statistic = 2 * float(counts[seen] @ np.log(counts[seen] / expected[seen]))
    return statistic <= freedom + 3 * math.sqrt(2 * freedom)


def prior_shift(class_counts: Sequence[float], trained_on: Sequence[float]) -> NDArray[np.float64]:
    """What to add to a model's logits where its label mix is another.

    By Bayes' rule, a classifier of p(y | x) under the mix q that it was trained on
    becomes that under the mix p by adding log p(y) - log q(y) to its logits, as long as
    p(x | y) stays the same (Saerens et al., Neural Computation 14(1), 2002, eq. 2.4).

    Args:
        class_counts: examples of each class where the model will be used, shape (C,).
        trained_on: examples of each class that it was trained on, shape (C,).

    Returns:
        Shape (C,), nats.
    """
    return np.log(label_prior(class_counts)) - np.log(label_prior(trained_on))
