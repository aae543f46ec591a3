"""Epsilon of noised updates, by hand and as dp-accounting 0.6.0 has it."""

import math

import pytest
from scipy.stats import norm

from server.accounting import epsilon_of

DELTA = 1e-5


@pytest.mark.parametrize(
    ("noise", "updates", "expected"),
    [(1.0, 1, 4.37717810), (2.0, 4, 4.37717810), (0.5, 3, 20.12502355)],
)
def test_as_the_pld_accountant_of_dp_accounting(
    noise: float, updates: int, expected: float
) -> None:
    """What its ``PLDAccountant`` says after ``compose(GaussianDpEvent(noise), updates)``."""
    assert epsilon_of(noise, updates, DELTA) == pytest.approx(expected, abs=1e-7)


def test_the_library_itself_where_it_is_installed() -> None:
    accounting = pytest.importorskip("dp_accounting")
    accountant = accounting.pld.PLDAccountant()
    accountant.compose(accounting.GaussianDpEvent(1.3), 7)
    assert epsilon_of(1.3, 7, 1e-6) == pytest.approx(accountant.get_epsilon(1e-6), abs=1e-5)


def test_a_delta_that_needs_no_epsilon_by_hand() -> None:
    """At epsilon 0 delta is the total variation distance, 2Φ(1/(2z)) - 1."""
    assert 2 * norm.cdf(0.05) - 1 == pytest.approx(0.03988, abs=1e-5)
    assert epsilon_of(10.0, 1, 0.04) == 0.0
    assert epsilon_of(10.0, 1, 0.0398) > 0.0


def test_hardly_any_noise_is_a_large_number_and_no_overflow() -> None:
    """Near 1/(2t²) + sqrt(2 log(1/δ))/t for a small t."""
    assert epsilon_of(0.01, 100, DELTA) == pytest.approx(500_000, rel=0.02)
    assert math.isfinite(epsilon_of(1e-3, 1000, DELTA))
