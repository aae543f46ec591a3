"""The decision rule: pure, with hand-computed numbers and the awkward cases."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecavg_tf.core.deciding.bounds import mean_lower_bound
from ecavg_tf.core.deciding.guard import (
    Outcome,
    Reason,
    certify,
    decide,
    halves,
    smoothed,
    worst_gain,
)
from ecavg_tf.core.deciding.predictions import Predictions

CLASSES = 10


def said(*likelihoods: float, wrong: tuple[int, ...] = ()) -> Predictions:
    """A model that gives these likelihoods and is right but for the ``wrong`` examples."""
    correct = np.ones(len(likelihoods), np.bool_)
    correct[list(wrong)] = False
    return Predictions(np.log(np.array(likelihoods)), correct)


def constant(n: int, likelihood: float, *, correct: bool = True) -> Predictions:
    return Predictions(np.full(n, math.log(likelihood)), np.full(n, correct))


def decided(*candidates: Predictions, baselines: tuple[int, ...], level: float = 0.05) -> Outcome:
    n = len(candidates[0])
    return decide(
        candidates,
        baselines,
        selecting=np.arange(0, n // 2),
        certifying=np.arange(n // 2, n),
        num_classes=CLASSES,
        level=level,
    )


def test_smoothing_by_hand() -> None:
    np.testing.assert_allclose(smoothed(said(1.0, 0.5), CLASSES), np.log([0.91, 0.46]))
    assert worst_gain(CLASSES) == pytest.approx(math.log(0.01 / 0.91))


def test_a_certificate_by_hand() -> None:
    base = said(0.5, 0.5, 0.5, 0.5, wrong=(0, 1))
    better = said(0.9, 0.9, 0.9, 0.1, wrong=(3,))
    certificate = certify(better, base, num_classes=CLASSES, level=0.05)
    gains = np.log([0.82 / 0.46] * 3 + [0.1 / 0.46])
    assert (certificate.n, certificate.wins, certificate.losses) == (4, 2, 1)
    assert certificate.gain == pytest.approx(gains.mean())
    assert certificate.bound == mean_lower_bound(gains, worst_gain(CLASSES), 0.05)
    assert certificate.p_loss == pytest.approx(4 / 8 + 3 / 16)  # P(X > 1) + P(X = 1) / 2, n = 3
    assert certificate.accuracy_change == 0.25
    assert certificate.smallest_gain > certificate.gain - certificate.bound
    assert certificate.smallest_accuracy_gain == 1.0  # five wins can't be had of four examples
    assert not certificate.holds


def test_a_better_model_is_taken() -> None:
    outcome = decided(constant(400, 0.9), constant(400, 0.5), baselines=(1,))
    assert (outcome.accepted, outcome.base, outcome.tested) == (0, 1, 0)
    assert outcome.reason is Reason.CERTIFIED
    assert outcome.certificate is not None
    assert outcome.certificate.bound > 0
    assert outcome.certifying == 200


def test_of_ten_guard_images_nothing_can_be_certified() -> None:
    outcome = decided(constant(10, 0.9), constant(10, 0.5), baselines=(1,))
    assert (outcome.accepted, outcome.reason) == (1, Reason.NOT_CERTIFIED)
    assert outcome.certificate is not None
    assert outcome.certificate.gain > 0 > outcome.certificate.bound


def test_equal_models_change_nothing() -> None:
    outcome = decided(*[constant(400, 0.7)] * 4, baselines=(2, 3))
    assert (outcome.accepted, outcome.tested) == (2, None)  # previous before local
    assert outcome.reason is Reason.NOTHING_BETTER


def test_ties_among_challengers_go_to_the_first() -> None:
    tied = constant(400, 0.9)
    outcome = decided(tied, tied, constant(400, 0.5), baselines=(2,))
    assert outcome.accepted == 0


def test_a_global_model_of_constant_output_is_refused() -> None:
    local = constant(400, 0.9)
    outcome = decided(constant(400, 0.1, correct=False), local, baselines=(1,))
    assert (outcome.accepted, outcome.reason) == (1, Reason.NOTHING_BETTER)


def test_what_looks_better_on_the_selecting_half_alone_is_refused() -> None:
    lucky = Predictions(np.log(np.repeat([0.9, 0.5], 200)), np.ones(400, np.bool_))
    outcome = decided(lucky, constant(400, 0.5), baselines=(1,))
    assert (outcome.accepted, outcome.reason) == (1, Reason.NOT_CERTIFIED)
    assert outcome.certificate is not None
    assert outcome.certificate.gain == 0


def test_more_likelihood_does_not_buy_a_loss_of_accuracy() -> None:
    surer = Predictions(np.full(400, math.log(0.9)), np.arange(400) % 10 > 0)
    outcome = decided(surer, constant(400, 0.5), baselines=(1,))
    assert (outcome.accepted, outcome.reason) == (1, Reason.ACCURACY_LOSS)
    assert outcome.certificate is not None
    assert outcome.certificate.bound > 0
    assert (outcome.certificate.losses, outcome.certificate.wins) == (20, 0)


def test_the_better_of_previous_and_local_is_what_must_be_beaten() -> None:
    challenger, previous, local = constant(400, 0.6), constant(400, 0.5), constant(400, 0.8)
    outcome = decided(challenger, previous, local, baselines=(1, 2))
    assert (outcome.accepted, outcome.base) == (2, 2)


def test_an_edge_without_a_model_takes_the_best() -> None:
    outcome = decided(constant(40, 0.5), constant(40, 0.6), baselines=())
    assert (outcome.accepted, outcome.base) == (1, None)
    assert outcome.reason is Reason.NOTHING_TO_LOSE


@pytest.mark.parametrize("n", [0, 1])
def test_without_guard_data_the_edge_keeps_what_it_has(n: int) -> None:
    outcome = decided(constant(n, 0.9), constant(n, 0.1), baselines=(1,))
    assert (outcome.accepted, outcome.reason) == (1, Reason.NO_GUARD)
    assert decided(constant(n, 0.9), constant(n, 0.1), baselines=()).accepted == 0


def test_a_stricter_level_refuses_more() -> None:
    rng = np.random.default_rng(3)
    base = Predictions(np.log(rng.uniform(0.3, 0.9, 600)), np.ones(600, np.bool_))
    slightly = Predictions(np.log(rng.uniform(0.35, 0.95, 600)), np.ones(600, np.bool_))
    reasons = [decided(slightly, base, baselines=(1,), level=x).reason for x in (0.05, 1e-6)]
    assert reasons == [Reason.CERTIFIED, Reason.NOT_CERTIFIED]


def test_nothing_is_certified_on_nothing() -> None:
    with pytest.raises(ValueError, match="no examples"):
        certify(constant(0, 1.0), constant(0, 1.0), num_classes=2, level=0.05)


@given(st.lists(st.integers(0, 4), max_size=60), st.integers(0, 5))
def test_halves(labels: list[int], seed: int) -> None:
    array = np.array(labels, np.int64)
    select, certifying = halves(array, seed, "edge-00")
    assert sorted([*select, *certifying]) == list(range(len(labels)))
    assert len(certifying) - len(select) in (0, 1)
    for label in range(5):
        here = (array[select] == label).sum() - (array[certifying] == label).sum()
        assert abs(here) <= 1


def test_halves_differ_between_edges_but_not_between_calls() -> None:
    labels = np.zeros(40, np.int64)
    first, again, other = (halves(labels, 1, edge) for edge in ("edge-00", "edge-00", "edge-01"))
    np.testing.assert_array_equal(first[0], again[0])
    assert not np.array_equal(first[0], other[0])


def test_the_preferred_is_tested_within_a_standard_error_of_the_best() -> None:
    rng = np.random.default_rng(0)
    preferred = Predictions(np.log(rng.uniform(0.8, 0.9, 400)), np.ones(400, np.bool_))
    hardly_better = Predictions(np.log(rng.uniform(0.8, 0.902, 400)), np.ones(400, np.bool_))
    clearly_better = constant(400, 0.95)
    local = constant(400, 0.5)
    assert decided(preferred, hardly_better, local, baselines=(2,)).tested == 0
    assert decided(preferred, clearly_better, local, baselines=(2,)).tested == 1
    assert decided(preferred, clearly_better, hardly_better, local, baselines=(3,)).tested == 1
    assert decided(constant(400, 0.4), hardly_better, local, baselines=(2,)).tested == 1


@pytest.mark.parametrize("level", [0.5, 0.05, 1e-3, 1e-6])
def test_no_level_lets_a_loss_of_accuracy_pass(level: float) -> None:
    surer = Predictions(np.full(400, math.log(0.95)), np.arange(400) % 33 > 0)
    outcome = decided(surer, constant(400, 0.2), baselines=(1,), level=level)
    assert outcome.reason is Reason.ACCURACY_LOSS
    assert outcome.certificate is not None
    assert 0.001 < outcome.certificate.p_loss < 0.05


def test_nothing_turned_right_or_wrong_is_no_loss_of_accuracy() -> None:
    outcome = decided(constant(40, 0.9), constant(40, 0.2), baselines=(1,), level=0.5)
    assert outcome.reason is Reason.CERTIFIED


@pytest.mark.parametrize("n", [5, 36, 200])
def test_the_smallest_gain_is_what_would_have_been_certified(n: int) -> None:
    rng = np.random.default_rng(n)
    base = Predictions(np.log(rng.uniform(0.3, 0.7, n)), np.ones(n, np.bool_))
    challenger = Predictions(np.log(rng.uniform(0.3, 0.7, n)), np.ones(n, np.bool_))
    certificate = certify(challenger, base, num_classes=CLASSES, level=0.05)
    gains = smoothed(challenger, CLASSES) - smoothed(base, CLASSES)
    needed = gains + certificate.smallest_gain - gains.mean()
    lowest = worst_gain(CLASSES)
    assert mean_lower_bound(needed + 1e-4, lowest, 0.05) > 0
    assert mean_lower_bound(needed - 1e-4, lowest, 0.05) < 0
