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
from server.labels import judge_of, stands_out, usual_of


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
    verdicts: dict[str, _Verdict] = {}
    for edge, weights in zip(sent, means_without_each(given, mean), strict=True):
        if edge in pooled:
            verdicts[edge] = _judged(given.without(edge), weights, pooled[edge])
    for edge in pooled.keys() - set(sent):
        verdicts[edge] = _judged(given, joint, pooled[edge])
    counts = [(each.judged, int(each.odd.sum())) for each in verdicts.values()]
    found = []
    for at, (edge, verdict) in enumerate(verdicts.items()):
        judged, implausible = counts[at]
        usual, left_out = usual_of(counts, at, verdict.usual), verdict.odd
        if rule is DoubtfulLabels.DROP_EDGE:
            left_out = np.full(len(left_out), stands_out(judged, implausible, usual))
        if left_out.any():
            found.append(Doubt(edge, len(left_out), judged, implausible, usual, left_out))
    return tuple(sorted(found, key=lambda each: each.edge))


@dataclass(frozen=True)
class _Verdict:
    """Which of an edge's labels are implausible; ``usual``: of the judge's own, what share."""

    judged: int
    odd: NDArray[np.bool_]
    usual: float


def _judged(judging: Round, weights: Sequence[Array], mine: Examples) -> _Verdict:
    scored = judging.scored(weights)
    if scored is None:
        return _Verdict(0, np.zeros(len(mine), np.bool_), 0.0)
    judge = judge_of(judging.updates, judging.sample, scored)
    said = judging.score(mine, weights)
    return _Verdict(judge.count(mine, said)[0], judge.implausible(mine, said), judge.usual)


def without(pooled: Mapping[str, Examples], left_out: tuple[Doubt, ...]) -> dict[str, Examples]:
    """The pooled examples that stay, by edge; an edge of which nothing stays is not there."""
    kept = dict(pooled)
    for doubt in left_out:
        kept[doubt.edge] = pooled[doubt.edge].take(np.flatnonzero(~doubt.left_out))
    return {edge: examples for edge, examples in kept.items() if len(examples)}
