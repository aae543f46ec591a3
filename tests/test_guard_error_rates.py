"""The rule in worlds of known truth: how often it accepts what is no better."""

import runpy
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

WORLDS = runpy.run_path(str(Path(__file__).parent.parent / "benchmarks/guard_error_rates.py"))
FAIR, BETTER = WORLDS["fair_worlds"](), WORLDS["better_worlds"]()
LEVEL, TRIALS = 0.05, 150


def rates(world: Any, n: int) -> tuple[float, float]:
    guard, student = WORLDS["accepted"](world, n, trials=TRIALS, level=LEVEL, seed=n)
    return guard, student


@pytest.mark.parametrize("n", WORLDS["SIZES"])
@pytest.mark.parametrize("world", FAIR, ids=lambda world: world.name)
def test_false_acceptances_stay_under_the_level(world: Any, n: int) -> None:
    assert abs(world.true_gain) < 1e-9
    guard, _ = rates(world, n)
    # Were the true rate the level, as few as one run in a thousand would come out above.
    assert guard <= stats.binom.ppf(0.999, TRIALS, LEVEL) / TRIALS


def test_the_simulation_catches_a_rule_that_errs() -> None:
    """Student's t, which has not seen the disaster yet, accepts in these worlds."""
    _, student = rates(WORLDS["disaster"](0.005), 100)
    assert student > stats.binom.ppf(0.999, TRIALS, LEVEL) / TRIALS


@pytest.mark.parametrize(
    ("world", "n", "least"), [(BETTER[2], 100, 0.5), (BETTER[1], 2000, 0.8), (BETTER[0], 2000, 0.7)]
)
def test_power_is_what_the_docs_say(world: Any, n: int, least: float) -> None:
    guard, _ = rates(world, n)
    assert guard >= least
