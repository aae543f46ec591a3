"""The guarded update: no edge takes a model that its own held-out data has not certified."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.config import GuardRule
from ecavg_tf.core.deciding.bounds import smallest_sign
from ecavg_tf.core.deciding.guard import Outcome, certify, decide, halves
from ecavg_tf.core.deciding.jointly import decide_jointly
from ecavg_tf.core.deciding.predictions import Predictions
from edge.deciding.rungs import RUNGS
from edge.policy import Candidate, Choice, Situation


def guarded(situation: Situation) -> Choice:
    """Takes the best rung if it is certified, else keeps the better of previous and local.

    See ``core.deciding`` for the rules and docs/guard.md for what they promise. The preferred
    rung is the first, the global model: one for all edges, and no tuning of their own.
    """
    challengers, absent = challengers_of(situation)
    kept = [
        Candidate(rung, weights)
        for rung, weights in (("previous", situation.previous), ("local", situation.local))
        if weights is not None
    ]
    candidates = [*challengers, *kept]
    predicted = [situation.bench.on_guard(candidate.weights) for candidate in candidates]
    baselines = range(len(challengers), len(candidates))
    outcome, certifying = _decided(situation, predicted, baselines)
    names = [candidate.rung for candidate in candidates]
    evidence = {
        **_evidence(outcome, candidates, situation),
        "absent": absent,
        "since_previous": _since_previous(
            outcome, names, [each.take(certifying) for each in predicted], situation
        ),
    }
    looked_at = _with_scores(candidates, outcome)
    return Choice(looked_at, looked_at[outcome.accepted], evidence)


def _decided(
    situation: Situation, predicted: Sequence[Predictions], baselines: Sequence[int]
) -> tuple[Outcome, NDArray[np.int64]]:
    """What ``update.rule`` decides, and the examples that certify."""
    classes, seed, edge = len(situation.class_counts), situation.seed, situation.edge
    labels = situation.bench.guard.labels
    if situation.rule is GuardRule.TOGETHER:
        outcome = decide_jointly(
            predicted, baselines, num_classes=classes, level=situation.level, seed=seed, edge=edge
        )
        return outcome, np.arange(len(labels))
    selecting, certifying = halves(labels, seed, edge)
    outcome = decide(
        predicted,
        baselines,
        selecting=selecting,
        certifying=certifying,
        num_classes=classes,
        level=situation.level,
    )
    return outcome, certifying


def challengers_of(situation: Situation) -> tuple[list[Candidate], dict[str, str]]:
    """All rungs but those that the edge has already, and why some are absent."""
    found: list[Candidate] = []
    absent: dict[str, str] = {}
    for name, make in RUNGS.items():
        made = make(situation)
        if isinstance(made, str):
            absent[name] = made
        else:
            found += made
    return found, absent


def _evidence(
    outcome: Outcome, candidates: Sequence[Candidate], situation: Situation
) -> dict[str, Any]:
    def name(index: int | None) -> str | None:
        return None if index is None else candidates[index].rung

    certificate = outcome.certificate
    n = outcome.certifying
    evidence: dict[str, Any] = {
        "policy": "guarded",
        "rule": situation.rule.value,
        "reason": outcome.reason.value,
        "base": name(outcome.base),
        "tested": name(outcome.tested),
        "alpha": None if outcome.tested is None else candidates[outcome.tested].alpha,
        "level": situation.level,
        "n": n,
        "smallest_accuracy_gain": min(1.0, smallest_sign(situation.level) / n) if n else None,
    }
    return evidence if certificate is None else {**evidence, **certificate.to_json()}


def _since_previous(
    outcome: Outcome,
    names: Sequence[str],
    predicted: Sequence[Predictions],
    situation: Situation,
) -> Mapping[str, Any] | None:
    """What is certified of a change against what was accepted before, whatever the base."""
    if "previous" not in names or not outcome.certifying:
        return None
    previous = names.index("previous")
    if outcome.accepted == previous:
        return None
    certificate = certify(
        predicted[outcome.accepted],
        predicted[previous],
        num_classes=len(situation.class_counts),
        level=situation.level,
    )
    return certificate.to_json()


def _with_scores(candidates: Sequence[Candidate], outcome: Outcome) -> tuple[Candidate, ...]:
    certificate = None if outcome.certificate is None else outcome.certificate.to_json()
    return tuple(
        replace(candidate, select=select, certify=certificate if index == outcome.tested else None)
        for index, (candidate, select) in enumerate(zip(candidates, outcome.select, strict=True))
    )
