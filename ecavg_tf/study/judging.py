"""Measuring what an arm made: the only place of a study that sees test examples."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.deciding.predictions import Predictions, compare_with_labels
from ecavg_tf.core.reweighting import own_weights, score
from ecavg_tf.core.two_classes import class_probabilities
from ecavg_tf.data.dataset import Examples
from ecavg_tf.study.deciding import Decided
from ecavg_tf.study.desk import Made
from ecavg_tf.study.ground import Ground, Weights


def paired(one: Predictions, other: Predictions, indices: NDArray[np.int64]) -> dict[str, int]:
    """Compares two models on the test examples at ``indices``.

    Returns:
        ``n`` examples; ``wins``, that only the first gets right; ``losses``, that only the other
        gets right.
    """
    hits = one.correct[indices].astype(int) - other.correct[indices]
    return {"n": len(indices), "wins": int((hits > 0).sum()), "losses": int((hits < 0).sum())}


def own_mix(class_counts: Sequence[int], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """As many test examples as have an edge's label mix, each once.

    An exact test counts examples, and can't weigh them: so each class gives as many of its first
    examples as its share allows; the class that is the scarcest for its share gives all.

    Args:
        class_counts: the edge's examples of each class.
        labels: the test labels, shape (n,).
    """
    counts = np.asarray(class_counts, np.float64)
    there = np.bincount(labels, minlength=len(counts))
    wanted = (counts > 0) & (there > 0)
    if not wanted.any():
        return np.zeros(0, np.int64)
    most = (there[wanted] / counts[wanted]).min()
    quota = np.floor(np.where(wanted, counts, 0) * most + 1e-9).astype(np.int64)
    found = [np.flatnonzero(labels == label)[:share] for label, share in enumerate(quota)]
    return np.sort(np.concatenate(found))


class Judge:
    """Measures models of one place on the test set.

    Args:
        ground: the place.
        test: the test set; no arm gets it.
        logits: whether models give logits.
    """

    def __init__(self, ground: Ground, test: Examples, *, logits: bool) -> None:
        self._ground = ground
        self._test = test
        self._logits = logits
        counts = ground.counts.items()
        self._mixes = {edge: own_mix(each, test.labels) for edge, each in counts}
        self._own = {edge: own_weights(each, test.labels) for edge, each in counts}

    @cached_property
    def _alone(self) -> dict[str, Predictions]:
        """What the edges alone say; they train where the first arm is measured."""
        models = self._ground.alone.models
        return {edge: self._said([weights]) for edge, weights in models.items()}

    def _said(self, members: Sequence[Weights]) -> Predictions:
        """What a model says of the test set; of several, their mean probabilities."""
        scorer = self._ground.scorer
        if len(members) == 1:
            return scorer.predictions_on(self._test, members[0])
        answers = [
            class_probabilities(scorer.answers(self._test, each), logits=self._logits)
            for each in members
        ]
        return compare_with_labels(np.mean(answers, axis=0), self._test.labels, logits=False)

    def measured(self, made: Made, deployed: Mapping[str, Decided]) -> dict[str, Any]:
        """The scores of an arm, JSON-ready.

        Args:
            made: what it made.
            deployed: what each edge deploys of it; empty: nothing.
        """
        server = self._said(made.members) if made.members else None
        return {
            "server": None if server is None else self._score(server),
            "edges": [self._edge(edge, server, deployed.get(edge)) for edge in self._ground.edges],
        }

    def _edge(
        self, edge: str, server: Predictions | None, deployed: Decided | None
    ) -> dict[str, Any]:
        said = {"alone": self._alone[edge]}
        if server is not None:
            said["global"] = server
        if deployed is not None:
            said["accepted"] = self._said([deployed.weights])
            if deployed.prior is not None:
                said["prior"] = self._said([deployed.prior])
        weights = self._own[edge]
        return {
            "edge": edge,
            "examples": len(self._ground.edges[edge].train),
            "takes": None if deployed is None else deployed.rung,
            "own": {} if weights is None else {
                name: self._score(each, weights) for name, each in said.items()
            },
            "against_alone": {
                name: paired(each, self._alone[edge], self._mixes[edge])
                for name, each in said.items() if name != "alone"
            },
        }  # fmt: skip

    def _score(
        self, said: Predictions, weights: NDArray[np.float64] | None = None
    ) -> dict[str, float]:
        found = score(said, weights)
        return {"accuracy": round(found.accuracy, 6), "loss": round(found.loss, 5)}
