"""Corrects for the label prior: a model trained on one label mix is used on another."""

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
    """Whether two samples could have been drawn from one label mix.

    Pearson's two-sample test: if they were, the statistic is chi-squared with one degree
    of freedom less than there are classes, also where most classes are rare. Three
    standard deviations over its mean is no chance any more. Where one sample is part of
    the other, it errs towards "the same".

    Args:
        class_counts: an edge's examples of each class, shape (C,).
        trained_on: the model's, shape (C,).
    """
    samples = np.array([class_counts, trained_on], np.float64)
    samples = samples[:, samples.sum(axis=0) > 0]
    sizes = samples.sum(axis=1, keepdims=True)
    if not sizes.all():
        return False
    balance = np.sqrt(sizes[::-1] / sizes)
    (one, other), seen = samples * balance, samples.sum(axis=0)
    statistic = float(((one - other) ** 2 / seen).sum())
    freedom = samples.shape[1] - 1
    return bool(statistic <= freedom + 3 * math.sqrt(2 * freedom))


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
