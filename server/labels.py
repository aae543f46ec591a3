"""Labels of pooled examples that a model of the other edges finds implausible.

The judge of an edge's labels is a model that has not seen the edge, as the held-out models of
confident learning are (C. Northcutt et al., "Confident learning", JAIR 2021). It judges no class
that it does not know: edges with classes of their own teach the others nothing about these.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact

from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.data.dataset import Examples

_IMPLAUSIBLE = math.log(0.01)  # a label whose probability is below 1 %, and which is not the first
_SEEN = 10  # examples of a class that the others must have had
_KNOWN = 0.5  # share of a class' examples, the others' own, that their model must get right
_LEAST, _TIMES = 0.1, 3.0  # an edge stands out by this share, and by so many times the others'
_CHANCE = 1e-3  # and at this level


@dataclass(frozen=True)
class Judge:
    """A model of some edges, as far as it can judge others' labels.

    Attributes:
        known: the classes that it knows, shape (classes,).
        usual: of its own edges' labels, the share that it finds implausible.
    """

    known: NDArray[np.bool_]
    usual: float

    def implausible(self, examples: Examples, said: Predictions) -> NDArray[np.bool_]:
        """Which labels it finds implausible, shape (n,).

        Args:
            examples: the examples.
            said: what the model says of them.
        """
        odd: NDArray[np.bool_] = ~said.correct & (said.log_likelihood < _IMPLAUSIBLE)
        return odd & self.known[examples.labels]

    def count(self, examples: Examples, said: Predictions) -> tuple[int, int]:
        """How many labels it can judge, and how many of these it finds implausible."""
        judged = int(self.known[examples.labels].sum())
        return judged, int(self.implausible(examples, said).sum())


def judge_of(
    updates: Sequence[Update],
    sample: Mapping[str, Examples],
    scored: Mapping[str, Predictions],
    judged: str,
) -> Judge:
    """The judge that a model of some updates is.

    Args:
        updates: those that it is the mean of.
        sample: pooled examples by edge.
        scored: what it says of them.
        judged: whose labels it is to judge; these say nothing of what it knows.
    """
    edges = [edge for edge in sample if edge != judged]
    classes = len(updates[0].info.class_counts)
    shown, right = np.zeros(classes), np.zeros(classes)
    for edge in edges:
        labels = sample[edge].labels
        shown += np.bincount(labels, minlength=classes)
        right += np.bincount(labels[scored[edge].correct], minlength=classes)
    seen = np.sum([update.info.class_counts for update in updates], axis=0) >= _SEEN
    judge = Judge(seen & (shown > 0) & (right >= _KNOWN * shown), 0.0)
    counts = np.sum([judge.count(sample[edge], scored[edge]) for edge in edges] or [(0, 0)], axis=0)
    return Judge(judge.known, float(counts[1] / max(counts[0], 1)))


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
