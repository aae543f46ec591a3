"""How often the guard accepts: worlds of known truth, nothing is trained.

    python benchmarks/guard_error_rates.py --trials=4000

In the worlds of the first table the challenger is exactly as good as the base in
expected smoothed log-likelihood, so every acceptance is false; Student's t stands
beside the guard's own bound. In those of the second it is better.
"""

import argparse
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table
from scipy import stats

from ecavg_tf.core.deciding.guard import certify, smoothed
from ecavg_tf.core.deciding.predictions import Predictions

CLASSES = 10
SIZES = (100, 500, 2000)
WRONG = 0.02  # what a model that is wrong gives to the true class


@dataclass(frozen=True)
class World:
    """What two models say of an example, as a distribution over a few cases.

    Attributes:
        name: what a table calls it.
        chances: of each case, shape (cases,), summing to 1.
        base: likelihood and hit of the base in each case.
        challenger: those of the challenger.
    """

    name: str
    chances: NDArray[np.float64]
    base: Predictions
    challenger: Predictions

    @property
    def true_gain(self) -> float:
        """Expected gain in smoothed log-likelihood, nats."""
        gains = smoothed(self.challenger, CLASSES) - smoothed(self.base, CLASSES)
        return float(self.chances @ gains)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Predictions, Predictions]:
        """(challenger, base) on n independent examples."""
        cases = rng.choice(len(self.chances), n, p=self.chances)
        return self.challenger.take(cases), self.base.take(cases)


def correlated(
    accuracy: float, change: float, correlation: float, *, fair: bool, sure: float = 0.9
) -> World:
    """Two models whose hits are correlated.

    Args:
        accuracy: of the base.
        change: what the challenger has more.
        correlation: of their hits, as far as their accuracies allow.
        fair: make the challenger less sure where it is right, until the true gain is 0.
        sure: what a model that is right gives to the true class.
    """
    a, b = accuracy, accuracy + change
    both = min(a * b + correlation * math.sqrt(a * (1 - a) * b * (1 - b)), a, b)
    chances = np.array([both, a - both, b - both, 1 - a - b + both])
    hits = np.array([[True, True], [True, False], [False, True], [False, False]])

    def world(likelihood: float) -> World:
        said = np.where(hits, [sure, likelihood], WRONG)
        base, challenger = (Predictions(np.log(said[:, i]), hits[:, i]) for i in (0, 1))
        name = f"accuracy {100 * a:.0f} %, {100 * change:+.0f} points, correlation {correlation}"
        return World(name, chances, base, challenger)

    if not fair:
        return world(sure)
    low, high = WRONG, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if world(middle).true_gain > 0 else (middle, high)
    return world(low)


def disaster(chance: float) -> World:
    """A challenger that is a little better, but now and then sure of a wrong class."""
    chances = np.array([1 - chance, chance])

    def world(likelihood: float) -> World:
        base = Predictions(np.log(np.array([0.6, 0.6])), np.array([True, True]))
        said = Predictions(np.log(np.array([likelihood, 1e-7])), np.array([True, False]))
        return World(f"a disaster in {1 / chance:.0f} examples", chances, base, said)

    low, high = 0.6, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if world(middle).true_gain > 0 else (middle, high)
    return world(low)


def fair_worlds() -> list[World]:
    """Worlds in which accepting is always wrong."""
    return [
        *(correlated(0.8, 0.02, correlation, fair=True) for correlation in (0.0, 0.5, 0.9)),
        correlated(0.98, 0.01, 0.5, fair=True),
        *(disaster(chance) for chance in (0.05, 0.02, 0.005)),
    ]


def better_worlds() -> list[World]:
    """Worlds in which accepting is right."""
    return [
        correlated(accuracy, change, 0.5, fair=False)
        for accuracy, change in ((0.97, 0.01), (0.8, 0.03), (0.8, 0.1), (0.5, 0.1))
    ]


def accepted(world: World, n: int, *, trials: int, level: float, seed: int) -> tuple[float, float]:
    """Shares of trials in which (the guard, Student's t) accept."""
    rng = np.random.default_rng(seed)
    guard = student = 0
    for _ in range(trials):
        challenger, base = world.draw(n, rng)
        guard += certify(challenger, base, num_classes=CLASSES, level=level).holds
        gains = smoothed(challenger, CLASSES) - smoothed(base, CLASSES)
        error = gains.std(ddof=1) / math.sqrt(n)
        student += bool(gains.mean() > stats.t.ppf(1 - level, n - 1) * error)
    return guard / trials, student / trials


def main() -> None:
    """Parses, simulates, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=4000)
    parser.add_argument("--level", type=float, default=0.05)
    arguments = parser.parse_args()
    for title, worlds in (
        ("accepted though no better", fair_worlds()),
        ("accepted, and rightly", better_worlds()),
    ):
        table = Table(box=box.MARKDOWN)
        for column in ("world", "true gain", *(f"n = {n}: guard / t" for n in SIZES)):
            table.add_column(column)
        for world in worlds:
            rates = [
                accepted(world, n, trials=arguments.trials, level=arguments.level, seed=n)
                for n in SIZES
            ]
            cells = (f"{100 * guard:.1f} / {100 * t:.1f} %" for guard, t in rates)
            table.add_row(world.name, f"{world.true_gain:+.3f}", *cells)
        Console(width=140).print(f"{title} (level {arguments.level}, % of trials)", table)


if __name__ == "__main__":
    main()
