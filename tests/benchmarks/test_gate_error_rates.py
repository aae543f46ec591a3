"""The gate in worlds of known truth: how often a file passes that must not, or that may."""

import runpy
from typing import Any

import pytest
from paths_for_tests import ROOT
from scipy import stats

from ecavg_tf.core.exports import Verdict
from export.proving.claims import LEVEL

WORLDS = runpy.run_path(str(ROOT / "benchmarks/gate_error_rates.py"))
LOSSY, SOUND = WORLDS["lossy_worlds"](), WORLDS["sound_worlds"]()


def passes(world: Any, test: int, seen: int = 0, further: int = 0, *, trials: int) -> float:
    sizes = (test, seen, further)
    found = WORLDS["rates"](world, sizes, trials=trials, seed=sum(sizes))
    assert sum(found.values()) == pytest.approx(1.0)
    return float(found[Verdict.PASSED])


def test_the_worlds_are_what_they_say() -> None:
    for world in (*LOSSY, *SOUND):
        same_right, same_wrong, lost, won, unlike = world.chances
        assert min(world.chances) >= 0
        assert same_right + lost == pytest.approx(world.accuracy)
        assert lost + won + unlike == pytest.approx(world.differs)
        assert lost - won == pytest.approx(world.loss)
        assert world.loss == pytest.approx(0.02) or world in SOUND or world.differs == 0.07
        assert same_right + same_wrong + lost + won + unlike == pytest.approx(1.0)


def test_a_file_that_loses_two_points_rarely_passes_and_one_that_loses_none_mostly() -> None:
    trials = 30
    # Were the true rate the level, one run in a hundred would come out above.
    assert passes(LOSSY[2], 4000, trials=trials) <= stats.binom.ppf(0.99, trials, LEVEL) / trials
    assert passes(SOUND[2], 4000, trials=trials) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("sizes", WORLDS["SIZES"])
@pytest.mark.parametrize("world", LOSSY, ids=lambda world: world.name)
def test_a_file_at_a_limit_rarely_passes(world: Any, sizes: tuple[int, int, int]) -> None:
    trials = 200
    found = passes(world, *(sizes[:1] if world.tuned else sizes), trials=trials)
    assert found <= stats.binom.ppf(0.999, trials, LEVEL) / trials


# Near a limit nothing is shown: 6 % of labels are close to the 7 % that may differ.
FAR = [world for world in SOUND if world.differs < (0.2 if world.tuned else 0.06)]


@pytest.mark.slow
@pytest.mark.parametrize("world", FAR, ids=lambda world: world.name)
def test_a_file_that_loses_nothing_passes(world: Any) -> None:
    assert passes(world, 4000, trials=200) >= 0.95
