"""The rule in worlds of known truth: how often it accepts what is no better."""

import runpy
from typing import Any

import numpy as np
import pytest
from paths_for_tests import ROOT
from scipy import stats

from ecavg_tf.core.deciding.guard import Reason, decide

WORLDS = runpy.run_path(str(ROOT / "benchmarks/guard_error_rates.py"))
FAIR, BETTER = WORLDS["fair_worlds"](), WORLDS["better_worlds"]()
LEVEL, TRIALS = 0.05, 150


def rates(world: Any, n: int) -> tuple[float, float]:
    guard, student = WORLDS["accepted"](world, n, trials=TRIALS, level=LEVEL, seed=n)
    return guard, student


FIRST, *OTHERS = WORLDS["SIZES"]


@pytest.mark.parametrize(
    "n", [FIRST, *(pytest.param(size, marks=pytest.mark.slow) for size in OTHERS)]
)
def test_false_acceptances_stay_under_the_level(n: int) -> None:
    found = []
    for world in FAIR:
        assert abs(world.true_gain) < 1e-9
        guard, _ = rates(world, n)
        # Were the true rate the level, one cell in a hundred would come out above.
        assert guard <= stats.binom.ppf(0.99, TRIALS, LEVEL) / TRIALS
        found.append(guard)
    assert np.mean(found) <= LEVEL


def test_choosing_among_many_costs_no_level_unless_the_halves_leak() -> None:
    """The whole rule: seven fair challengers, the best of them tested."""
    world, n, trials = WORLDS["correlated"](0.8, 0.02, 0.5, fair=True), 200, 200
    rng = np.random.default_rng(0)
    sound = leaked = 0
    for _ in range(trials):
        cases = rng.choice(len(world.chances), (7, n), p=world.chances / world.chances.sum())
        base_right = world.base.correct[cases[0]]
        challengers = [world.challenger.take(_with(base_right, row, world, rng)) for row in cases]
        candidates = [*challengers, world.base.take(cases[0])]
        halves = np.arange(n // 2), np.arange(n // 2, n)
        for certifying in (halves[1], halves[0]):
            outcome = decide(
                candidates, [7], selecting=halves[0], certifying=certifying,
                num_classes=WORLDS["CLASSES"], level=LEVEL,
            )  # fmt: skip
            taken = outcome.reason is Reason.CERTIFIED
            sound, leaked = (
                sound + (taken and certifying is halves[1]),
                leaked + (taken and certifying is halves[0]),
            )
    assert sound / trials <= LEVEL
    assert leaked / trials > LEVEL


def _with(base_right: Any, row: Any, world: Any, rng: np.random.Generator) -> Any:
    """Cases of another challenger against the same base, on the same examples."""
    out = row.copy()
    for right in (False, True):
        where = base_right == right
        cases = np.flatnonzero(world.base.correct == right)
        chances = world.chances[cases] / world.chances[cases].sum()
        out[where] = rng.choice(cases, int(where.sum()), p=chances)
    return out


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
