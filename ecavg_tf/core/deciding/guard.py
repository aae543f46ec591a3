"""The guard: an edge takes another model only if its own held-out data says so.

``decide`` is the rule ``halves``: one half of the guard set selects a challenger; the other half
tests it once, against the model that the edge would keep. The rule ``together`` is in
``jointly``. docs/guard.md has the methods and their error rates.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.deciding.bounds import (
    mcnemar_mid_p,
    mean_lower_bound,
    shift_to_zero,
    smallest_sign,
)
from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.seeds import permutation

VETO = 0.05  # significance of a loss of accuracy; a smaller one would veto less
SMOOTHING = 0.1  # the usual value of label smoothing (Szegedy et al., arXiv 1512.00567)


class Reason(StrEnum):
    """Why the guard decided as it did."""

    CERTIFIED = "certified"
    NOT_CERTIFIED = "not certified"
    ACCURACY_LOSS = "accuracy loss"
    NOTHING_BETTER = "nothing better"
    NO_GUARD = "no guard data"
    NOTHING_TO_LOSE = "nothing to lose"


@dataclass(frozen=True)
class Certificate:
    """The test of one challenger against one base, on the examples that certify.

    Attributes:
        n: examples that certify.
        wins: examples that only the challenger gets right.
        losses: examples that only the base gets right.
        gain: mean gain in smoothed log-likelihood, nats.
        bound: one-sided lower bound of that gain's expectation, nats; where several candidates
            are tested together, against the baseline that is harder to beat.
        p_loss: mid-p of McNemar's test for a loss of accuracy.
        accuracy_change: (wins - losses) / n.
        accuracy_bound: one-sided lower bound of the accuracy change.
        smallest_gain: the least gain that examples of this spread could have certified, nats.
        smallest_accuracy_gain: the least accuracy change that n examples can tell from
            chance by accuracy alone, if none of them gets worse.
        level: chance of a false acceptance that was allowed.
    """

    n: int
    wins: int
    losses: int
    gain: float
    bound: float
    p_loss: float
    accuracy_change: float
    accuracy_bound: float
    smallest_gain: float
    smallest_accuracy_gain: float
    level: float

    @property
    def holds(self) -> bool:
        """Whether the challenger may be taken."""
        return self.bound > 0 and self.p_loss > VETO

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return asdict(self)


@dataclass(frozen=True)
class Outcome:
    """What the rule decided; candidates are named by their position.

    Attributes:
        accepted: the one to take.
        base: the one that stays if nothing is certified; None: there is none.
        tested: the challenger; None: no candidate looked better than the base.
        reason: why.
        select: mean smoothed log-likelihood of each on the examples that select, nats; None
            without examples.
        certificate: of ``tested`` against ``base``, or of the base against itself.
        certifying: how many examples certify.
    """

    accepted: int
    base: int | None
    tested: int | None
    reason: Reason
    select: tuple[float | None, ...]
    certificate: Certificate | None
    certifying: int


def halves(
    labels: NDArray[np.int64], seed: int, edge: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Deals a guard set out to (selecting, certifying), class by class.

    Every edge keeps its halves for the whole run: an example that helped to select never
    certifies. If their sizes differ, the certifying half is the larger.

    Args:
        labels: of the guard set, shape (n,).
        seed: the run's seed.
        edge: name of the edge.
    """
    order = permutation(len(labels), seed, "guard-halves", edge)
    by_class = order[np.argsort(labels[order], kind="stable")]
    return np.sort(by_class[1::2]), np.sort(by_class[0::2])


def smoothed(predictions: Predictions, num_classes: int) -> NDArray[np.float64]:
    """Log-likelihoods of a model that hedges: 90 % itself, 10 % the uniform distribution.

    This bounds what one example can say, as the lower bound of a mean requires.

    Returns:
        Shape (n,), nats, at least log(0.1 / num_classes).
    """
    likelihood = np.exp(predictions.log_likelihood)
    hedged: NDArray[np.float64] = np.log((1 - SMOOTHING) * likelihood + SMOOTHING / num_classes)
    return hedged


def worst_gain(num_classes: int) -> float:
    """The least difference of two smoothed log-likelihoods, nats."""
    return -math.log1p((1 - SMOOTHING) * num_classes / SMOOTHING)


def hits_apart(challenger: Predictions, base: Predictions) -> tuple[int, int]:
    """Examples that only the challenger gets right, and those that only the base gets right."""
    wins, losses = challenger.correct & ~base.correct, base.correct & ~challenger.correct
    return int(wins.sum()), int(losses.sum())


def certify(
    challenger: Predictions,
    base: Predictions,
    *,
    num_classes: int,
    level: float,
    known: tuple[float, float] | None = None,
) -> Certificate:
    """Tests a challenger against a base on the same examples.

    Args:
        challenger: predictions on the certifying half.
        base: the base's, on the same examples.
        num_classes: how many classes the data set has.
        level: chance of a false acceptance that is allowed.
        known: ``bound`` and ``smallest_gain``, where another test has found them already.

    Raises:
        ValueError: there are no examples.
    """
    n = len(base)
    if n == 0:
        raise ValueError("nothing can be certified on no examples")
    lowest = worst_gain(num_classes)
    gains = smoothed(challenger, num_classes) - smoothed(base, num_classes)
    gains = np.maximum(gains, lowest)  # rounding
    hits = challenger.correct.astype(np.float64) - base.correct
    wins, losses = hits_apart(challenger, base)
    gain = float(gains.mean())
    bound, smallest = known or (
        mean_lower_bound(gains, lowest, level),
        gain + shift_to_zero(gains, lowest, level),
    )
    return Certificate(
        n=n,
        wins=wins,
        losses=losses,
        gain=gain,
        bound=bound,
        p_loss=mcnemar_mid_p(losses, wins),
        accuracy_change=(wins - losses) / n,
        accuracy_bound=mean_lower_bound(hits, -1.0, level),
        smallest_gain=smallest,
        smallest_accuracy_gain=min(1.0, smallest_sign(level) / n),
        level=level,
    )


def decide(
    candidates: Sequence[Predictions],
    baselines: Sequence[int],
    *,
    preferred: int = 0,
    selecting: NDArray[np.int64],
    certifying: NDArray[np.int64],
    num_classes: int,
    level: float,
) -> Outcome:
    """Selects one candidate on one half of the guard set and tests it on the other.

    The better of the baselines on the selecting half is the base. The challenger is the
    best of the other candidates there, if it beats the base, or the preferred one if that
    does, too, and is within one standard error of the best. The base stays unless the
    challenger's test on the certifying half holds. Ties go to the base.

    Args:
        candidates: each one's predictions on the whole guard set.
        baselines: positions of what the edge has already: previous, local.
        preferred: position of the challenger that the others must clearly surpass.
        selecting: guard examples that select.
        certifying: guard examples that certify; disjoint from ``selecting``.
        num_classes: how many classes the data set has.
        level: chance of a false acceptance that is allowed.
    """
    chosen_by = [smoothed(each.take(selecting), num_classes) for each in candidates]
    select = tuple(float(each.mean()) if len(each) else None for each in chosen_by)
    ranking = [-math.inf if value is None else value for value in select]
    challengers = [index for index in range(len(candidates)) if index not in baselines]

    def outcome(
        accepted: int, base: int | None, tested: int | None, reason: Reason,
        certificate: Certificate | None = None,
    ) -> Outcome:  # fmt: skip
        return Outcome(accepted, base, tested, reason, select, certificate, len(certifying))

    if not baselines:
        best = max(challengers, key=ranking.__getitem__)
        return outcome(best, None, None, Reason.NOTHING_TO_LOSE)
    base = max(baselines, key=ranking.__getitem__)
    if not (len(selecting) and len(certifying)):
        return outcome(base, base, None, Reason.NO_GUARD)
    best = max(challengers, key=ranking.__getitem__, default=base)
    if best == base or not ranking[best] > ranking[base]:
        return outcome(base, base, None, Reason.NOTHING_BETTER)
    if ranking[preferred] > ranking[base] and close_to_best(chosen_by[preferred], chosen_by[best]):
        best = preferred
    certificate = certify(
        candidates[best].take(certifying),
        candidates[base].take(certifying),
        num_classes=num_classes,
        level=level,
    )
    if certificate.holds:
        return outcome(best, base, best, Reason.CERTIFIED, certificate)
    lost = certificate.bound > 0
    reason = Reason.ACCURACY_LOSS if lost else Reason.NOT_CERTIFIED
    return outcome(base, base, best, reason, certificate)


def close_to_best(score: NDArray[np.float64], best: NDArray[np.float64]) -> bool:
    """Whether a score is not worse than the best by more than a standard error.

    Args:
        score: of each example, shape (n,).
        best: that of the best candidate, on the same examples.
    """
    behind = best - score
    return float(behind.mean()) <= float(behind.std()) / math.sqrt(len(behind))
