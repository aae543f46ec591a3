"""Leaving doubtful labels out of the pool before the server trains on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.config import DoubtfulLabels
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Examples
from server.aggregate import average_updates, combine_statistics
from server.influence import Round, means_without_each
from server.labels import judge_of, stands_out


@dataclass(frozen=True)
class Doubt:
    """What was left out of an edge's pooled examples, and why.

    Attributes:
        edge: its name.
        pooled: how many it pooled.
        judged: how many of their labels could be judged.
        implausible: how many of these are implausible.
        usual: the share of such among the others' labels.
        left_out: which examples, shape (pooled,).
    """

    edge: str
    pooled: int
    judged: int
    implausible: int
    usual: float
    left_out: NDArray[np.bool_]

    def __str__(self) -> str:
        return (
            f"{int(self.left_out.sum()):,} of the {self.pooled:,} examples that {self.edge} pooled "
            f"are left out: a model of the others finds {self.implausible:,} of {self.judged:,} "
            f"labels implausible, of the others' labels {100 * self.usual:.0f} % "
            "(server.doubtful_labels)"
        )


def doubts(given: Round, pooled: Mapping[str, Examples], rule: DoubtfulLabels) -> tuple[Doubt, ...]:
    """Which pooled examples the server should not train on.

    An edge's labels are judged by the mean of the other edges' updates. (The mean of all judges
    those of an edge that sent no update this time.)

    Args:
        given: the round; with fewer than two updates nobody is judged.
        pooled: all pooled examples, by edge.
        rule: ``drop``: the implausible ones. ``drop_edge``: all of an edge that stands out.
    """
    if rule is DoubtfulLabels.KEEP or len(given.updates) < 2 or not given.sample:
        return ()
    mean = average_updates(given.updates, given.template, given.base, given.shares)
    joint = combine_statistics(mean, given.updates, given.template, given.moments, given.shares)
    sent = [update.info.edge for update in given.updates]
    found: list[Doubt] = []
    for at, weights in enumerate(means_without_each(given, mean)):
        others = given.without(sent[at])
        if sent[at] in pooled:
            found += _doubt(others, weights, sent[at], pooled[sent[at]], rule)
    for edge in pooled.keys() - set(sent):
        found += _doubt(given, joint, edge, pooled[edge], rule)
    return tuple(sorted(found, key=lambda each: each.edge))


def _doubt(
    judging: Round, weights: Sequence[Array], edge: str, mine: Examples, rule: DoubtfulLabels
) -> list[Doubt]:
    scored = judging.scored(weights)
    if scored is None:
        return []
    judge = judge_of(judging.updates, judging.sample, scored, edge)
    said = judging.score(mine, weights)
    odd = judge.implausible(mine, said)
    judged, implausible = judge.count(mine, said)
    if rule is DoubtfulLabels.DROP_EDGE:
        odd = np.full(len(mine), stands_out(judged, implausible, judge.usual))
    if not odd.any():
        return []
    return [Doubt(edge, len(mine), judged, implausible, judge.usual, odd)]


def without(pooled: Mapping[str, Examples], left_out: tuple[Doubt, ...]) -> dict[str, Examples]:
    """The pooled examples that stay, by edge; an edge of which nothing stays is not there."""
    kept = dict(pooled)
    for doubt in left_out:
        kept[doubt.edge] = pooled[doubt.edge].take(np.flatnonzero(~doubt.left_out))
    return {edge: examples for edge, examples in kept.items() if len(examples)}
