"""What every update does to the average: its size, its direction, and its effect on a loss.

Three views of each edge's update, none of which drops anything:

- its *change* of the start, as a vector: its length, and its cosine to the sum of the others';
- the mean of the *others'* models: does leaving this edge out lower the loss on pooled examples
  (Cook's distance, R. D. Cook 1977, asks the same of an observation: what if it were not there)?
- that same model, which has not seen this edge, judges the labels that the edge pooled: labels
  that it finds implausible are counted (confident learning, C. Northcutt et al., JAIR 2021, counts
  so with held-out models).

``findings`` says in words who stands out. ``excluded`` is the gate before fine-tuning: where the
average is far worse than the start, the edge whose absence mends it is refused.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact

from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array, Template
from ecavg_tf.data.dataset import Examples, stratified
from ecavg_tf.results import Influence
from server.aggregate import average_updates, combine_statistics
from server.geometry import cosines_to_the_rest, inner_products, lengths
from server.screen import ENOUGH

MOST_EDGES = 32  # whose absence is tried; with more, one edge weighs next to nothing
_LEAST_EACH = 8  # examples of every edge
_IMPLAUSIBLE = math.log(0.01)  # a label whose probability is below 1 %
_SEEN = 10  # the others have had that many examples of a class: they can judge it
_AGAINST = 0.05  # cosines: the others agree by as much, and the edge points as much against them
_FAR = 2.0  # an average is far worse than the start with so many times its loss
_HARM = 3.0  # the loss falls by more than so many times what it falls without another edge
_LEAST_HARM = 0.1  # and by more than this share of it
_CHANCE = 1e-3  # level at which an edge's labels are called implausible


@dataclass(frozen=True)
class Round:
    """What one round's updates are judged by.

    Attributes:
        updates: checked updates, at least one, in edge-id order.
        template: the run's template.
        base: the model that the round started from.
        shares: what each update weighs in a plain mean.
        moments: positions of each BatchNorm layer's (mean, variance).
        sample: pooled examples by edge, few of each; see ``drawn``.
        score: what a model says of examples.
    """

    updates: Sequence[Update]
    template: Template
    base: Sequence[Array]
    shares: Sequence[float]
    moments: Sequence[tuple[int, int]]
    sample: Mapping[str, Examples]
    score: Callable[[Examples, Sequence[Array]], Predictions]

    def without(self, *edges: str) -> "Round":
        """The round as if these edges had not answered; what they pooled is not asked either."""
        stay = [at for at, one in enumerate(self.updates) if one.info.edge not in edges]
        return Round(
            [self.updates[at] for at in stay],
            self.template,
            self.base,
            [self.shares[at] for at in stay],
            self.moments,
            {edge: few for edge, few in self.sample.items() if edge not in edges},
            self.score,
        )

    def loss(self, weights: Sequence[Array]) -> float:
        """The mean over edges of the mean loss on what each pooled; infinite for NaN weights."""
        if not all(np.isfinite(array).all() for array in weights):
            return math.inf
        losses = [-self.score(few, weights).log_likelihood.mean() for few in self.sample.values()]
        return float(np.mean(losses))


def drawn(pooled: Mapping[str, Examples], most: int, seed: int) -> dict[str, Examples]:
    """A few examples of every edge, the same number of each as far as it has them.

    Args:
        pooled: pooled examples by edge.
        most: examples of all edges together, but at least 8 of each.
        seed: the run's seed.
    """
    if not pooled or most <= 0:
        return {}
    each = max(_LEAST_EACH, most // len(pooled))
    return {
        edge: few.take(stratified(few.labels, min(each, len(few)), seed, "influence", edge))
        for edge, few in pooled.items()
        if len(few)
    }


def means_without_each(given: Round) -> list[list[Array]]:
    """For every update the plain mean of the others, with their joint BatchNorm statistics.

    ``m_-i = (S m - s_i w_i) / (S - s_i)``, from one mean ``m`` of all with shares ``s``. A weight
    that the edge left out keeps the mean.
    """
    mean = average_updates(given.updates, given.template, given.base, given.shares)
    total = math.fsum(given.shares)
    made = []
    for at, (update, share) in enumerate(zip(given.updates, given.shares, strict=True)):
        rest = []
        for spec, array in zip(given.template.weights, mean, strict=True):
            if spec.averaged and spec.key in update.keys:
                wide = total * array.astype(np.float64) - share * update[spec.key]
                rest.append((wide / (total - share)).astype(spec.dtype))
            else:
                rest.append(array)
        others = [*given.updates[:at], *given.updates[at + 1 :]]
        shares = [*given.shares[:at], *given.shares[at + 1 :]]
        made.append(combine_statistics(rest, others, given.template, given.moments, shares))
    return made


def influences(given: Round) -> tuple[Influence, ...]:
    """Measures every update of a round, in the order of the updates.

    The losses and the judged labels are None where nothing is pooled, with fewer than three
    updates, or with more than ``MOST_EDGES``.
    """
    products = inner_products(given.updates, given.template, given.base)
    norms, cosines = lengths(products), cosines_to_the_rest(products)
    edges = [update.info.edge for update in given.updates]
    if not (given.sample and ENOUGH <= len(edges) <= MOST_EDGES):
        return tuple(
            Influence(edge, float(norm), float(cosine))
            for edge, norm, cosine in zip(edges, norms, cosines, strict=True)
        )
    whole = given.loss(_mean(given))
    found = []
    for at, weights in enumerate(means_without_each(given)):
        judged, implausible, others = _judged(given, at, weights)
        found.append(
            Influence(
                edges[at],
                float(norms[at]),
                float(cosines[at]),
                loss_without=given.loss(weights),
                loss_with=whole,
                judged=judged,
                implausible=implausible,
                implausible_others=others,
            )
        )
    return tuple(found)


def _mean(given: Round) -> list[Array]:
    mean = average_updates(given.updates, given.template, given.base, given.shares)
    return combine_statistics(mean, given.updates, given.template, given.moments, given.shares)


def _judged(given: Round, at: int, weights: Sequence[Array]) -> tuple[int, int, float]:
    """How many labels of an edge can be judged, are implausible, and the others' share of such."""
    edge = given.updates[at].info.edge
    others = [*given.updates[:at], *given.updates[at + 1 :]]
    seen = np.sum([other.info.class_counts for other in others], axis=0) >= _SEEN
    counts = {
        name: _implausible(few, seen, given.score(few, weights))
        for name, few in given.sample.items()
    }
    judged, implausible = counts.pop(edge, (0, 0))
    rest = sum(n for n, _ in counts.values())
    return judged, implausible, sum(k for _, k in counts.values()) / max(rest, 1)


def _implausible(
    few: Examples, seen: NDArray[np.bool_], predictions: Predictions
) -> tuple[int, int]:
    known = seen[few.labels]
    odd = known & ~predictions.correct & (predictions.log_likelihood < _IMPLAUSIBLE)
    return int(known.sum()), int(odd.sum())


def findings(given: Round, measured: Sequence[Influence]) -> tuple[str, ...]:
    """Who stands out and why, a line each, in plain words; nothing is dropped for it."""
    products = inner_products(given.updates, given.template, given.base)
    told = []
    for at, one in enumerate(measured):
        why = [
            _points_against(products, at, one),
            _harms(measured, at),
            _odd_labels(one),
        ]
        reasons = [reason for reason in why if reason]
        if reasons:
            told.append(f"{one.edge} stands out: {'; '.join(reasons)}. It was not left out")
    return tuple(told)


def _points_against(products: NDArray[np.float64], at: int, one: Influence) -> str:
    stay = [other for other in range(len(products)) if other != at]
    if len(stay) + 1 < ENOUGH or one.cosine > -_AGAINST:
        return ""
    agree = float(np.median(cosines_to_the_rest(products[np.ix_(stay, stay)])))
    if agree < _AGAINST:
        return ""  # edges with different classes all pull in directions of their own
    return (
        f"its update points against the others' (cosine {one.cosine:.2f}, the others' to each "
        f"other {agree:.2f})"
    )


def _harms(measured: Sequence[Influence], at: int) -> str:
    """Whether the loss falls without this edge far more than without any other."""
    effects = [
        0.0
        if one.loss_with is None or one.loss_without is None
        else one.loss_with - one.loss_without
        for one in measured
    ]
    effect, whole = effects[at], measured[at].loss_with
    if whole is None or not effect > 0:
        return ""
    usual = float(np.median([max(0.0, one) for one in (*effects[:at], *effects[at + 1 :])]))
    if effect <= _HARM * usual or effect <= _LEAST_HARM * whole:
        return ""
    return (
        f"without it, the average's loss on pooled examples falls from {whole:.3g} to "
        f"{whole - effect:.3g}"
    )


def _odd_labels(one: Influence) -> str:
    if not one.judged or one.implausible is None or one.implausible_others is None:
        return ""
    share = one.implausible / one.judged
    if share < 0.1 or share < 3 * one.implausible_others:
        return ""
    # The others' share as if it came from as many examples: a margin for its own error.
    usual = round(one.implausible_others * one.judged)
    table = [[one.implausible, one.judged - one.implausible], [usual, one.judged - usual]]
    if fisher_exact(table, alternative="greater").pvalue > _CHANCE:
        return ""
    return (
        f"a model of the others finds {one.implausible} of {one.judged} labels that it pooled "
        f"implausible ({100 * share:.0f} %, of the others' {100 * one.implausible_others:.0f} %)"
    )


def excluded(given: Round, measured: Sequence[Influence]) -> dict[str, str]:
    """The gate before fine-tuning: the edge whose absence mends a broken average, and why.

    An average is broken whose loss on pooled examples is twice that of the start, and twice that
    of a guess (the logarithm of the number of classes): honest averages of nets that started
    apart are no better than a guess, but not much worse. It is mended where the loss without one
    edge is neither. Nobody is named if no single absence mends it.
    """
    losses = [one.loss_without for one in measured if one.loss_without is not None]
    whole = next((one.loss_with for one in measured if one.loss_with is not None), None)
    if whole is None or len(losses) < len(measured):
        return {}
    classes = len(given.updates[0].info.class_counts)
    start = given.loss(given.base)
    limit = _FAR * max(start, math.log(classes))
    best = int(np.argmin(losses))
    if whole <= limit or losses[best] > limit:
        return {}
    edge = measured[best].edge
    return {
        edge: f"with its update, the average's loss on pooled examples is {whole:.3g}, and "
        f"{losses[best]:.3g} without; the model that the round started from has {start:.3g}"
    }
