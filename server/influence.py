"""What every update does to the average: its size, its direction, and its effect on a loss.

Three views of each edge's update, none of which drops anything:

- its *change* of the start, as a vector: its length, and its cosine to the sum of the others';
- the mean of the *others'* models: does leaving this edge out lower the loss on pooled examples
  (Cook's distance, R. D. Cook 1977, asks the same of an observation: what if it were not there)?
- that same model, which has not seen this edge, judges the labels that the edge pooled; see
  ``server.labels``.

``findings`` says in words who stands out. ``excluded`` is the gate before fine-tuning: where the
average is far worse than the start, the edge whose absence mends it is refused.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np

from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.findings import Influence
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array, Template, all_finite
from ecavg_tf.data.dataset import Examples, stratified
from server.aggregate import average_updates, combine_statistics
from server.geometry import (
    Matrix,
    cosines_to_the_rest,
    inner_products,
    lengths,
    usual_cosines,
)
from server.labels import judge_of, stands_out, usual_of
from server.screen import ENOUGH

MOST_EDGES = 32  # whose absence is tried; with more, one edge weighs next to nothing
_LEAST_EACH = 8  # examples of every edge
_AGAINST = 0.05  # cosines: the others agree by as much, and the edge points as much against them
_AGREE, _IN_COMMON = 0.2, 0.25  # the others agree by as much, and the edge with them by that part
_LONG = 2.0  # an update that has little in common with the others' is so many times as long
_FAR = 2.0  # an average is far worse than the start with so many times its loss
_HARM = 3.0  # the loss falls by more than so many times what it falls without another edge
_LEAST_HARM = 0.1  # and by more than this share of it
_Item = TypeVar("_Item")


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

    @cached_property
    def products(self) -> Matrix:
        """The inner products of all changes."""
        return inner_products(self.updates, self.template, self.base)

    def without(self, edge: str) -> "Round":
        """The round as if an edge had not answered; what it pooled is not asked either."""
        at = [update.info.edge for update in self.updates].index(edge)
        return replace(
            self,
            updates=_but(self.updates, at),
            shares=_but(self.shares, at),
            sample={name: few for name, few in self.sample.items() if name != edge},
        )

    def scored(self, weights: Sequence[Array]) -> dict[str, Predictions] | None:
        """What a model says of each edge's examples; None for NaN or infinite weights."""
        if not all_finite(weights):
            return None
        return {edge: self.score(few, weights) for edge, few in self.sample.items()}


def _but(items: Sequence[_Item], at: int) -> list[_Item]:
    return [*items[:at], *items[at + 1 :]]


def _loss(scored: Mapping[str, Predictions] | None) -> float:
    """The mean over edges of the mean loss on what each pooled; infinite for no model."""
    if scored is None:
        return math.inf
    return float(np.mean([-said.log_likelihood.mean() for said in scored.values()]))


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


def means_without_each(given: Round, mean: Sequence[Array]) -> Iterator[list[Array]]:
    """For every update the plain mean of the others, with their joint BatchNorm statistics.

    ``m_-i = (S m - s_i w_i) / (S - s_i)``, from the mean ``m`` of all with shares ``s``. A weight
    that the edge left out keeps the mean. One model is made at a time.

    Args:
        given: the round.
        mean: the plain mean of all its updates.
    """
    total = math.fsum(given.shares)
    for at, (update, share) in enumerate(zip(given.updates, given.shares, strict=True)):
        rest = []
        for spec, array in zip(given.template.weights, mean, strict=True):
            if spec.averaged and spec.key in update.keys:
                wide = total * array.astype(np.float64) - share * update[spec.key]
                rest.append((wide / (total - share)).astype(spec.dtype))
            else:
                rest.append(array)
        others, shares = _but(given.updates, at), _but(given.shares, at)
        yield combine_statistics(rest, others, given.template, given.moments, shares)


def influences(given: Round) -> tuple[Influence, ...]:
    """Measures every update of a round, in the order of the updates.

    The losses and the judged labels are None where nothing is pooled, with fewer than three
    updates, or with more than ``MOST_EDGES``.
    """
    lying = zip(
        (update.info.edge for update in given.updates),
        lengths(given.products).tolist(),
        cosines_to_the_rest(given.products).tolist(),
        strict=True,
    )
    found = [Influence(*one) for one in lying]
    if not (given.sample and ENOUGH <= len(found) <= MOST_EDGES):
        return tuple(found)
    mean = average_updates(given.updates, given.template, given.base, given.shares)
    joint = combine_statistics(mean, given.updates, given.template, given.moments, given.shares)
    whole = _loss(given.scored(joint))
    for at, weights in enumerate(means_without_each(given, mean)):
        scored = given.scored(weights)
        judged, implausible, others = _judged(given, at, scored)
        found[at] = replace(
            found[at],
            loss_without=_loss(scored),
            loss_with=whole,
            judged=judged,
            implausible=implausible,
            implausible_others=others,
        )
    counts = [(one.judged or 0, one.implausible or 0) for one in found]
    return tuple(
        replace(one, implausible_others=usual_of(counts, at, one.implausible_others or 0.0))
        for at, one in enumerate(found)
    )


def _judged(
    given: Round, at: int, scored: Mapping[str, Predictions] | None
) -> tuple[int, int, float]:
    """How many labels of an edge can be judged, are implausible, and the others' share of such."""
    if scored is None:
        return 0, 0, 0.0
    edge = given.updates[at].info.edge
    judge = judge_of(_but(given.updates, at), given.sample, scored)
    judged, implausible = (
        judge.count(given.sample[edge], scored[edge]) if edge in scored else (0, 0)
    )
    return judged, implausible, judge.usual


def findings(given: Round, measured: Sequence[Influence]) -> tuple[str, ...]:
    """Who stands out and why, a line each, in plain words; nothing is dropped for it."""
    told = []
    usual = _agreements(given.products)
    for at, one in enumerate(measured):
        why = [
            _points_against(usual[at], one) or _has_little_in_common(usual[at], measured, at),
            _harms(measured, at),
            _odd_labels(one),
        ]
        reasons = [reason for reason in why if reason]
        if reasons:
            told.append(f"{one.edge} stands out: {'; '.join(reasons)}. It was not left out")
    return tuple(told)


def _agreements(products: Matrix) -> Sequence[float]:
    """What cosine to the rest is usual among the others of each; 0 where they are too few."""
    if len(products) < ENOUGH:
        return [0.0] * len(products)
    usual: list[float] = usual_cosines(products).tolist()
    return usual


def _points_against(agree: float, one: Influence) -> str:
    if one.cosine > -_AGAINST or agree < _AGAINST:
        return ""  # edges with different classes all pull in directions of their own
    return (
        f"its update points against the others' (cosine {one.cosine:.2f}, the others' to each "
        f"other {agree:.2f})"
    )


def _has_little_in_common(agree: float, measured: Sequence[Influence], at: int) -> str:
    """As noise has; an honest edge with classes of its own makes no longer change than others."""
    one = measured[at]
    # Below -_AGAINST, it points against them.
    if agree < _AGREE or not -_AGAINST < one.cosine < _IN_COMMON * agree:
        return ""
    usual = float(np.median([other.norm for other in _but(measured, at)]))
    if one.norm <= _LONG * usual:
        return ""
    return (
        f"its update has little in common with the others' (cosine {one.cosine:.2f}, the others' "
        f"to each other {agree:.2f}), and is {one.norm / usual:.1f} times as long"
    )


def _harms(measured: Sequence[Influence], at: int) -> str:
    """Whether the loss falls without this edge far more than without any other."""
    if measured[at].loss_with is None:
        return ""
    effects = [
        0.0
        if one.loss_with is None or one.loss_without is None
        else one.loss_with - one.loss_without
        for one in measured
    ]
    effect, whole = effects[at], measured[at].loss_with
    if whole is None or not effect > 0:
        return ""
    usual = float(np.median([max(0.0, one) for one in _but(effects, at)]))
    if effect <= _HARM * usual or effect <= _LEAST_HARM * whole:
        return ""
    return (
        f"without it, the average's loss on pooled examples falls from {whole:.3g} to "
        f"{whole - effect:.3g}"
    )


def _odd_labels(one: Influence) -> str:
    if not one.judged or one.implausible is None or one.implausible_others is None:
        return ""
    if not stands_out(one.judged, one.implausible, one.implausible_others):
        return ""
    return (
        f"a model of the others finds {one.implausible} of {one.judged} labels that it pooled "
        f"implausible ({100 * one.implausible / one.judged:.0f} %, of the others' "
        f"{100 * one.implausible_others:.0f} %)"
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
    guess = math.log(len(given.updates[0].info.class_counts))
    if whole <= _FAR * guess:
        return {}
    start = _loss(given.scored(given.base))
    limit = _FAR * max(start, guess)
    best = int(np.argmin(losses))
    if whole <= limit or losses[best] > limit:
        return {}
    edge = measured[best].edge
    return {
        edge: f"with its update, the average's loss on pooled examples is {whole:.3g}, and "
        f"{losses[best]:.3g} without; the model that the round started from has {start:.3g}"
    }
