"""Labels of pooled examples that a model of the other edges finds implausible.

The judge of an edge's labels is a model that has not seen the edge, and how sure it is of other
labels says what is little, as in confident learning (C. Northcutt et al., "Confident learning",
JAIR 2021). It judges no class that it does not know: edges with classes of their own teach the
others nothing about these.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact

from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.data.dataset import Examples

_UNLIKELY = math.log(0.1)  # an implausible label is less probable than this,
_RARE = 0.02  # and than all but this share of the labels of the judge's own edges
_SEEN = 10  # examples of a class that the others must have had
_KNOWN = 0.5  # share of a class' examples, the others' own, that their model must get right
_LEAST, _TIMES = 0.1, 3.0  # an edge stands out by this share, and by so many times the others'
_CHANCE = 1e-3  # and at this level


@dataclass(frozen=True)
class Judge:
    """A model of some edges, as far as it can judge others' labels.

    Attributes:
        known: the classes that it knows, shape (classes,).
        least: the log-probability below which a label is implausible, where it is also not the
            most probable one.
        usual: of its own edges' labels, the share that it finds implausible.
    """

    known: NDArray[np.bool_]
    least: float
    usual: float

    def implausible(self, examples: Examples, said: Predictions) -> NDArray[np.bool_]:
        """Which labels it finds implausible, shape (n,).

        Args:
            examples: the examples.
            said: what the model says of them.
        """
        odd: NDArray[np.bool_] = ~said.correct & (said.log_likelihood < self.least)
        return odd & self.known[examples.labels]

    def count(self, examples: Examples, said: Predictions) -> tuple[int, int]:
        """How many labels it can judge, and how many of these it finds implausible."""
        judged = int(self.known[examples.labels].sum())
        return judged, int(self.implausible(examples, said).sum())


def judge_of(
    updates: Sequence[Update],
    sample: Mapping[str, Examples],
    scored: Mapping[str, Predictions],
) -> Judge:
    """The judge that a model of some updates is.

    Args:
        updates: those that it is the mean of, at least one.
        sample: pooled examples by edge.
        scored: what it says of them.
    """
    classes = len(updates[0].info.class_counts)
    own = [
        (sample[update.info.edge], scored[update.info.edge])
        for update in updates
        if update.info.edge in sample
    ]
    labels = np.concatenate([few.labels for few, _ in own] or [np.zeros(0, np.int64)])
    right = np.concatenate([said.correct for _, said in own] or [np.zeros(0, np.bool_)])
    likely = np.concatenate([said.log_likelihood for _, said in own] or [np.zeros(0)])
    shown = np.bincount(labels, minlength=classes)
    hits = np.bincount(labels[right], minlength=classes)
    seen = np.sum([update.info.class_counts for update in updates], axis=0) >= _SEEN
    known = seen & (shown > 0) & (hits >= _KNOWN * shown)
    likely = likely[known[labels]]
    least = min(_UNLIKELY, float(np.quantile(likely, _RARE))) if len(likely) else _UNLIKELY
    judge = Judge(known, least, 0.0)
    counts = [judge.count(few, said) for few, said in own]
    judged, implausible = sum(one for one, _ in counts), sum(one for _, one in counts)
    return replace(judge, usual=implausible / max(judged, 1))


def usual_of(counts: Sequence[tuple[int, int]], at: int, usual: float) -> float:
    """The share of implausible labels among the edges but one.

    Args:
        counts: labels judged and implausible, of each edge by a model of the others.
        at: the edge that is left out.
        usual: the share that its judge finds among the labels that it was trained on, which is
            too little for others; taken where it is more.
    """
    rest = [*counts[:at], *counts[at + 1 :]]
    judged, implausible = sum(one for one, _ in rest), sum(one for _, one in rest)
    return max(usual, implausible / max(judged, 1))


def stands_out(judged: int, implausible: int, usual: float) -> bool:
    """Whether an edge has far more implausible labels than the others.

    Args:
        judged: how many of its labels were judged.
        implausible: how many of these are implausible.
        usual: the share of such among the others' labels.
    """
    if not judged or implausible / judged < max(_LEAST, _TIMES * usual):
        return False
    # The others' share as if it came from as many examples: a margin for its own error.
    odd = round(usual * judged)
    table = [[implausible, judged - implausible], [odd, judged - odd]]
    return bool(fisher_exact(table, alternative="greater").pvalue <= _CHANCE)
