"""The bounds against closed forms and against Monte Carlo."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from ecavg_tf.core.deciding.bounds import (
    mcnemar_mid_p,
    mean_lower_bound,
    shift_to_zero,
    smallest_sign,
)

SAMPLES = arrays(np.float64, st.integers(1, 30), elements=st.floats(-3, 3).map(lambda x: x + 0.0))


@pytest.mark.parametrize("level", [0.5, 0.05, 1e-3, 1e-5])
@pytest.mark.parametrize(
    ("n", "ones"), [(1, 1), (3, 2), (10, 7), (50, 50), (1500, 20), (5000, 4990)]
)
def test_zeros_and_ones_give_clopper_and_pearson(n: int, ones: int, level: float) -> None:
    values = np.repeat([1.0, 0.0], [ones, n - ones])
    exact = stats.beta.ppf(level, ones, n - ones + 1)
    assert mean_lower_bound(values, 0.0, level) == pytest.approx(exact, abs=2e-6)


def test_one_observation_by_hand() -> None:
    # The weight of the one observation is uniform on [0, 1]: its 5 % quantile is 0.05.
    assert mean_lower_bound(np.array([2.0]), -1.0, 0.05) == pytest.approx(-1 + 3 * 0.05, abs=1e-5)


def test_the_quantile_of_many_drawn_weights() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0.1, 0.3, 40)
    weights = rng.dirichlet(np.ones(41), size=200_000)
    drawn = np.quantile(weights @ np.append(values, -2.0), 0.05)
    assert mean_lower_bound(values, -2.0, 0.05) == pytest.approx(drawn, abs=1e-3)


def test_no_observation_says_nothing() -> None:
    assert mean_lower_bound(np.zeros(0), -4.5, 0.05) == -4.5


def test_all_at_the_lowest() -> None:
    assert mean_lower_bound(np.full(9, -4.5), -4.5, 0.05) == -4.5


@pytest.mark.parametrize("level", [0.0, 0.6, -1.0, math.nan])
def test_a_level_that_is_none(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        mean_lower_bound(np.ones(3), 0.0, level)


def test_a_value_that_cannot_be() -> None:
    with pytest.raises(ValueError, match=r"a value is -1\.0, below the lowest possible 0\.0"):
        mean_lower_bound(np.array([1.0, -1.0]), 0.0, 0.05)
    with pytest.raises(ValueError, match="a value is nan"):
        mean_lower_bound(np.array([1.0, math.nan]), 0.0, 0.05)


@settings(max_examples=60, deadline=None)
@given(SAMPLES, st.floats(0.1, 3), st.floats(0.01, 0.5))
def test_properties(values: np.ndarray, room: float, level: float) -> None:
    lowest = float(values.min()) - room
    bound = mean_lower_bound(values, lowest, level)
    slack = 3e-6 * (values.mean() - lowest)
    assert lowest <= bound <= values.mean() + slack
    assert mean_lower_bound(2 * values + 1, 2 * lowest + 1, level) == pytest.approx(
        2 * bound + 1, abs=1e-4
    )
    assert mean_lower_bound(values, lowest - 1, level) <= bound + slack  # less is known
    assert mean_lower_bound(values, lowest, level / 2) <= bound + slack  # more is asked
    assert mean_lower_bound(values + 0.5, lowest, level) >= bound - slack  # more is seen


@pytest.mark.parametrize(
    ("losses", "wins", "p"),
    [
        (0, 0, 0.5),
        (0, 1, 0.75),  # P(X > 0) = 1/2, half of P(X = 0) = 1/4
        (1, 0, 0.25),
        (0, 2, 0.875),
        (2, 0, 0.125),
        (5, 0, 1 / 64),
        (1, 1, 0.5),
    ],
)
def test_mcnemar_by_hand(losses: int, wins: int, p: float) -> None:
    assert mcnemar_mid_p(losses, wins) == pytest.approx(p)


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_mcnemar_is_the_binomial(losses: int, wins: int) -> None:
    n = losses + wins
    exact = stats.binom.sf(losses, n, 0.5) + stats.binom.pmf(losses, n, 0.5) / 2
    assert mcnemar_mid_p(losses, wins) == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize(("level", "wins"), [(0.5, 1), (0.0625, 4), (0.05, 5), (0.01, 7)])
def test_how_many_wins_are_beyond_chance(level: float, wins: int) -> None:
    assert smallest_sign(level) == wins
    hits = np.concatenate([np.ones(wins), np.zeros(100)])
    assert mean_lower_bound(hits, -1.0, level) > -2e-6  # at 1/16 just so
    assert mean_lower_bound(hits[1:], -1.0, level) < 0


@pytest.mark.parametrize("n", [1, 5, 35, 72])
def test_the_shift_that_equal_values_need_in_closed_form(n: int) -> None:
    # All weight but that of the worst value is Beta(n, 1): its 5 % quantile is 0.05 ** (1 / n).
    needed = 4.5 * (0.05 ** (-1 / n) - 1)
    assert shift_to_zero(np.zeros(n), -4.5, 0.05) == pytest.approx(needed, rel=1e-4)
    assert shift_to_zero(np.full(n, 2 * needed), -4.5, 0.05) == pytest.approx(-needed, rel=1e-4)


@pytest.mark.parametrize("value", [math.inf, 1e300])
def test_a_value_beyond_arithmetic(value: float) -> None:
    with pytest.raises(ValueError, match="a value is"):
        mean_lower_bound(np.array([value, 1.0]), 0.0, 0.05)


def test_values_a_hair_above_the_lowest() -> None:
    values = np.full(5, np.nextafter(-4.5, 0))
    assert mean_lower_bound(values, -4.5, 0.05) == -4.5
