"""The label prior, by hand and by Bayes' rule."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ecavg_tf.core.deciding.prior import label_prior, prior_shift, same_mix

COUNTS = st.lists(st.integers(0, 10**6), min_size=2, max_size=12)


def test_by_hand() -> None:
    np.testing.assert_allclose(label_prior([3, 0, 5]), [4 / 11, 1 / 11, 6 / 11])
    np.testing.assert_allclose(
        prior_shift([8, 0], [3, 5]), [np.log(9 / 10) - np.log(4 / 10), np.log(1 / 10 * 10 / 6)]
    )


def test_nothing_is_known() -> None:
    np.testing.assert_allclose(label_prior([0, 0, 0, 0]), np.full(4, 0.25))


def test_it_makes_the_bayes_classifier_of_another_mix() -> None:
    rng = np.random.default_rng(0)
    given_class = rng.dirichlet(np.ones(6), size=3)  # p(x | y), 3 classes, 6 values of x
    here, there = np.array([9, 1, 2]), np.array([1, 4, 4])
    posterior = [label_prior(mix)[:, None] * given_class for mix in (here, there)]
    wanted, trained = (joint / joint.sum(axis=0) for joint in posterior)
    shifted = trained * np.exp(prior_shift(here, there))[:, None]
    np.testing.assert_allclose(shifted / shifted.sum(axis=0), wanted)


@given(COUNTS)
def test_no_class_is_impossible_and_the_same_mix_shifts_nothing(counts: list[int]) -> None:
    prior = label_prior(counts)
    assert (prior > 0).all()
    np.testing.assert_allclose(prior.sum(), 1.0)
    np.testing.assert_array_equal(prior_shift(counts, counts), 0.0)


def test_a_sample_of_the_mix_is_the_same_mix_and_another_is_not() -> None:
    rng = np.random.default_rng(0)
    mix = np.array([4000, 3000, 2000, 1000])
    drawn = [rng.multinomial(2000, mix / mix.sum()) for _ in range(200)]
    assert (
        sum(same_mix(counts.tolist(), mix.tolist()) for counts in drawn) >= 190
    )  # 1.6 % of them are expected to look different
    assert not same_mix([600, 600, 500, 300], mix.tolist())
    assert not same_mix([2000, 0, 0, 0], mix.tolist())
    assert same_mix([1, 0, 0, 0], mix.tolist())  # one example says little


def test_many_classes_of_which_each_sample_has_some() -> None:
    rng = np.random.default_rng(0)
    samples = rng.multinomial(2000, np.full(1000, 1e-3), size=(40, 2)).tolist()
    assert sum(same_mix(one, other) for one, other in samples) >= 38


def test_the_statistic_by_hand() -> None:
    # (30 - 10)^2 / 40 + (10 - 30)^2 / 40 = 20, the limit is 1 + 3 sqrt(2) = 5.24
    assert not same_mix([30, 10], [10, 30])
    # 36 / 40 + 36 / 40 = 1.8
    assert same_mix([23, 17], [17, 23])
    assert not same_mix([3, 1], [0, 0])
