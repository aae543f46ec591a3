"""The guard's rule that tests all candidates together on the whole guard set.

No example has to be spent on selecting: the bounds of all candidates hold at once, so the best
of those that are certified may be taken. docs/guard.md has what this gains over two halves.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.deciding.bounds import mcnemar_mid_p
from ecavg_tf.core.deciding.guard import (
    VETO,
    Outcome,
    Reason,
    certify,
    close_to_best,
    hits_apart,
    smoothed,
    worst_gain,
)
from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.deciding.together import Draws, Together, bounds_together, draw, draws_for


def decide_jointly(
    candidates: Sequence[Predictions],
    baselines: Sequence[int],
    *,
    preferred: int = 0,
    num_classes: int,
    level: float,
    seed: int,
    edge: str,
) -> Outcome:
    """Takes the best candidate that is certified against all baselines, else keeps the better one.

    The better of the baselines on the guard set is the base. A candidate is certified if its
    simultaneous lower bound is above 0 against each baseline, and it loses no accuracy
    significantly against the base. So whichever baseline is truly the better one, the chance
    to take a candidate that is no better than it is at most ``level``. Of those certified the
    best is taken, or the preferred one within one standard error of it. Ties go to the base.

    Args:
        candidates: each one's predictions on the guard set.
        baselines: positions of what the edge has already: previous, local.
        preferred: position of the candidate that the others must clearly surpass.
        num_classes: how many classes the data set has.
        level: chance of a false acceptance that is allowed.
        seed: the run's seed.
        edge: name of the edge.
    """
    said = np.array([smoothed(each, num_classes) for each in candidates])
    n = said.shape[1]
    select = tuple(float(row.mean()) if n else None for row in said)
    means = np.array([-math.inf if value is None else value for value in select])
    challengers = [index for index in range(len(candidates)) if index not in baselines]

    def kept(base: int | None, taken: int, reason: Reason) -> Outcome:
        return Outcome(taken, base, None, reason, select, None, n)

    if not baselines:
        return kept(None, max(challengers, key=means.__getitem__), Reason.NOTHING_TO_LOSE)
    base = max(baselines, key=means.__getitem__)
    if n < 2:
        return kept(base, base, Reason.NO_GUARD)
    if not any(means[index] > means[base] for index in challengers):
        return kept(base, base, Reason.NOTHING_BETTER)
    tests = _tested(said, challengers, baselines, worst_gain(num_classes), level, seed, edge)
    bounds = np.min([test.bounds for test in tests], axis=0)
    better = {at: index for at, index in enumerate(challengers) if means[index] > means[base]}
    holding = [
        index
        for at, index in better.items()
        if bounds[at] > 0 and not _is_vetoed(candidates[index], candidates[base])
    ]
    tested = _best(holding or list(better.values()), means, said, preferred)
    at = challengers.index(tested)
    certificate = certify(  # of this one alone: its bounds take time
        candidates[tested],
        candidates[base],
        num_classes=num_classes,
        level=level,
        known=(float(bounds[at]), max(test.smallest(at) for test in tests)),
    )
    if holding:
        return Outcome(tested, base, tested, Reason.CERTIFIED, select, certificate, n)
    lost = certificate.bound > 0 and certificate.p_loss <= VETO
    reason = Reason.ACCURACY_LOSS if lost else Reason.NOT_CERTIFIED
    return Outcome(base, base, tested, reason, select, certificate, n)


def _is_vetoed(challenger: Predictions, base: Predictions) -> bool:
    """Whether a candidate loses accuracy significantly."""
    wins, losses = hits_apart(challenger, base)
    return mcnemar_mid_p(losses, wins) <= VETO


def _tested(
    said: NDArray[np.float64],
    challengers: Sequence[int],
    baselines: Sequence[int],
    lowest: float,
    level: float,
    seed: int,
    edge: str,
) -> list[Together]:
    """All challengers against each baseline, with the same draws."""
    count = draws_for(level) if len(challengers) > 1 else 0
    drawn = draw(said, count, seed, "guard-weights", edge) if count else None
    found = []
    for baseline in baselines:
        gains = np.maximum(said[list(challengers)] - said[baseline], lowest)  # rounding
        of_gains = None if drawn is None else _minus(drawn, challengers, baseline)
        found.append(bounds_together(gains, of_gains, lowest, level))
    return found


def _minus(drawn: Draws, challengers: Sequence[int], baseline: int) -> Draws:
    return replace(drawn, weighted=drawn.weighted[list(challengers)] - drawn.weighted[baseline])


def _best(
    among: Sequence[int], means: NDArray[np.float64], said: NDArray[np.float64], preferred: int
) -> int:
    best = max(among, key=means.__getitem__)
    return preferred if preferred in among and close_to_best(said[preferred], said[best]) else best
