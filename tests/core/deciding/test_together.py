"""Bounds of several means that hold together, and the rule that uses them."""

import math

import numpy as np
import pytest

from ecavg_tf.core.deciding.bounds import mean_lower_bound
from ecavg_tf.core.deciding.guard import Outcome, Reason
from ecavg_tf.core.deciding.jointly import decide_jointly
from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.deciding.together import bounds_together, draw, draws_for

LEVEL, LOWEST = 0.05, -4.5


def said(n: int, likelihood: float, wrong: int = 0) -> Predictions:
    """A model that gives this likelihood, and 0.02 to the first ``wrong`` examples."""
    correct = np.arange(n) >= wrong
    return Predictions(np.log(np.where(correct, likelihood, 0.02)), correct)


def decided(*candidates: Predictions, baselines: tuple[int, ...], level: float = LEVEL) -> Outcome:
    return decide_jointly(
        candidates, baselines, num_classes=10, level=level, seed=0, edge="edge-00"
    )


def test_copies_of_one_row_get_nearly_the_bound_of_that_row_alone() -> None:
    """Candidates that say the same cost no level; independent ones cost less than Bonferroni."""
    rows = np.random.default_rng(0).normal(0.2, 1, (6, 300)).clip(LOWEST)
    alone = mean_lower_bound(rows[0], LOWEST, LEVEL)
    copies = np.repeat(rows[:1], 6, axis=0)
    together = bounds_together(copies, draw(copies, 4096, 0), LOWEST, LEVEL)
    assert together.bounds == pytest.approx(alone, abs=0.05 * (rows[0].mean() - alone))
    apart = bounds_together(rows, draw(rows, 4096, 0), LOWEST, LEVEL)
    assert mean_lower_bound(rows[0], LOWEST, LEVEL / 6) < apart.bounds[0] < alone


def test_one_row_or_a_tiny_level_is_bounded_exactly() -> None:
    rows = np.array([[0.3, -0.1, 0.5, 0.2] * 20, [0.1] * 80])
    one = bounds_together(rows[:1], None, LOWEST, LEVEL)
    assert one.bounds.tolist() == [mean_lower_bound(rows[0], LOWEST, LEVEL)]
    two = bounds_together(rows, None, LOWEST, LEVEL)
    assert two.bounds.tolist() == [mean_lower_bound(row, LOWEST, LEVEL / 2) for row in rows]
    assert draws_for(LEVEL) == 4096
    assert draws_for(0.005) == 10_000
    assert draws_for(1e-6) == 0  # Bonferroni needs no draws


def test_a_gain_that_is_shifted_to_the_smallest_is_just_certified() -> None:
    rows = np.random.default_rng(1).normal(0.1, 1, (3, 200)).clip(LOWEST)
    found = bounds_together(rows, draw(rows, 4096, 7), LOWEST, LEVEL)
    for step, sign in ((1e-3, 1), (-1e-3, -1)):
        shifted = rows.copy()
        shifted[1] += found.smallest(1) - rows[1].mean() + step
        again = bounds_together(shifted, draw(shifted, 4096, 7), LOWEST, LEVEL)
        assert again.bounds[1] * sign > 0


def test_draws_do_not_depend_on_the_other_rows_and_follow_the_seed() -> None:
    rows = np.random.default_rng(2).normal(size=(2, 50))
    first, one, other = draw(rows, 300, 0), draw(rows[:1], 300, 0), draw(rows[:1], 300, 1)
    np.testing.assert_array_equal(first.worst, one.worst)
    # Sums of 50 values of about 1, in another order: near 0 their last bits are a larger share.
    np.testing.assert_allclose(first.weighted[0], one.weighted[0], rtol=1e-12, atol=1e-14)
    assert not np.array_equal(one.worst, other.worst)
    total = draw(np.ones((1, 50)), 300, 0)
    np.testing.assert_allclose(total.weighted[0] + total.worst, 1)  # a simplex


def test_the_best_certified_candidate_is_taken() -> None:
    outcome = decided(said(200, 0.6), said(200, 0.9), said(200, 0.5), baselines=(2,))
    assert (outcome.accepted, outcome.base, outcome.tested) == (1, 2, 1)
    assert outcome.reason is Reason.CERTIFIED
    assert outcome.certificate is not None
    assert outcome.certificate.n == outcome.certifying == 200
    assert outcome.certificate.bound > 0
    assert outcome.certificate.gain == pytest.approx(math.log(0.82 / 0.46))


def test_the_preferred_one_is_taken_within_a_standard_error() -> None:
    nearly = Predictions(np.log(np.tile([0.905, 0.895, 0.905, 0.8951], 50)), np.ones(200, np.bool_))
    outcome = decided(said(200, 0.9), nearly, said(200, 0.5), baselines=(2,))
    assert outcome.accepted == 0


def test_a_candidate_must_beat_both_baselines() -> None:
    """Which baseline is the better one is not known: beating one is not enough."""
    n = 60
    previous = Predictions(np.log(np.tile([0.9, 0.5], n // 2)), np.ones(n, np.bool_))
    local = Predictions(np.log(np.tile([0.5, 0.89], n // 2)), np.ones(n, np.bool_))
    better = Predictions(np.log(np.tile([0.93, 0.84], n // 2)), np.ones(n, np.bool_))
    alone = decided(better, previous, baselines=(1,))
    both = decided(better, previous, local, baselines=(1, 2))
    assert both.certificate is not None
    assert alone.certificate is not None
    assert both.certificate.bound <= alone.certificate.bound


@pytest.mark.parametrize(
    ("candidates", "baselines", "expected"),
    [
        ((said(40, 0.7), said(40, 0.7)), (1,), (1, Reason.NOTHING_BETTER)),
        ((said(8, 0.9), said(8, 0.5)), (1,), (1, Reason.NOT_CERTIFIED)),
        ((said(0, 0.9), said(0, 0.5)), (1,), (1, Reason.NO_GUARD)),
        ((said(1, 0.9), said(1, 0.5)), (1,), (1, Reason.NO_GUARD)),
        ((said(40, 0.6), said(40, 0.9)), (), (1, Reason.NOTHING_TO_LOSE)),
        ((said(300, 0.97, wrong=12), said(300, 0.6)), (1,), (1, Reason.ACCURACY_LOSS)),
    ],
)
def test_what_stays_and_why(
    candidates: tuple[Predictions, ...], baselines: tuple[int, ...], expected: tuple[int, Reason]
) -> None:
    outcome = decided(*candidates, baselines=baselines)
    assert (outcome.accepted, outcome.reason) == expected


def test_six_fair_candidates_are_rarely_taken() -> None:
    """The whole rule in a world where all candidates are exactly as good as the base."""
    rng, trials, n = np.random.default_rng(3), 120, 60
    taken = 0
    for _ in range(trials):
        likelihoods = rng.uniform(0.05, 1, (7, n))  # exchangeable: no gain is expected
        candidates = [Predictions(np.log(row), np.ones(n, np.bool_)) for row in likelihoods]
        outcome = decide_jointly(
            candidates, (6,), num_classes=10, level=LEVEL, seed=0, edge="edge-00"
        )
        taken += outcome.reason is Reason.CERTIFIED
    assert taken <= 12  # of 120, where 6 were expected: one in a hundred is above
