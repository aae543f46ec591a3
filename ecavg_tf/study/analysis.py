"""What the cells of a study say together: means and intervals over seeds, in pairs.

Intervals are those of Student's t over seeds: the mean of n seeds' values, plus and minus the
97.5 % quantile of t with n - 1 degrees of freedom times their standard error. A seed's value is
one number: of edges it is the mean over the edges. Differences are taken within a seed, so that
what seeds have in common cancels.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.special import bdtrc, stdtrit

SIGNIFICANT = 0.05  # one-sided, for each edge on its own
Json = Mapping[str, Any]
Value = Callable[[Json], float | None]


@dataclass(frozen=True)
class Interval:
    """A mean over seeds.

    Attributes:
        values: of each seed.
        mean: their mean.
        half: half of the 95 % interval's width; None: one seed has none.
    """

    values: tuple[float, ...]
    mean: float
    half: float | None

    @property
    def above(self) -> bool:
        """Whether the whole interval is above 0."""
        return self.half is not None and self.mean - self.half > 0

    @property
    def below(self) -> bool:
        """Whether the whole interval is below 0."""
        return self.half is not None and self.mean + self.half < 0


def interval(values: Sequence[float]) -> Interval | None:
    """The mean of some seeds' values with its interval; None: there are none."""
    if not values:
        return None
    mean, n = statistics.fmean(values), len(values)
    if n == 1:
        return Interval(tuple(values), mean, None)
    error = statistics.stdev(values) / math.sqrt(n)
    return Interval(tuple(values), mean, float(stdtrit(n - 1, 0.975)) * error)


@dataclass(frozen=True, order=True)
class Setting:
    """What cells that are compared have in common, beside the seed."""

    split: str
    start: str
    edges: int
    pool: float

    def __str__(self) -> str:
        return f"{self.split}, {self.start}, {self.edges} edges, {100 * self.pool:g} % pooled"


class Cells:
    """The cells of a study, found by setting, arm and seed.

    Args:
        cells: as in ``study.json``. Those of arms without a pool belong to every share.
    """

    def __init__(self, cells: Sequence[Json]) -> None:
        self._by_arm: dict[tuple[Setting | tuple[str, str, int], str], dict[int, Json]] = {}
        settings: dict[Setting, None] = {}
        for cell in cells:
            at = cell["cell"]
            place = (at["split"], at["start"], at["edges"])
            key: Setting | tuple[str, str, int] = place
            if at["pool"] is not None:
                key = Setting(*place, at["pool"])
                settings[key] = None
            self._by_arm.setdefault((key, at["arm"]), {})[at["seed"]] = cell
        self.settings = tuple(settings)
        self.arms = tuple(dict.fromkeys(cell["cell"]["arm"] for cell in cells))

    def of(self, setting: Setting, arm: str) -> dict[int, Json]:
        """The cells of an arm in a setting by seed; none: it was not run there."""
        place = (setting.split, setting.start, setting.edges)
        return self._by_arm.get((setting, arm)) or self._by_arm.get((place, arm)) or {}

    def mean(self, setting: Setting, arm: str, value: Value) -> Interval | None:
        """A value of an arm over seeds."""
        found = [value(cell) for cell in self.of(setting, arm).values()]
        return interval([each for each in found if each is not None])

    def difference(
        self, setting: Setting, one: str, other: str, value: Value, of_other: Value | None = None
    ) -> Interval | None:
        """By how much a value of one arm is above that of another, over the seeds of both.

        Args:
            setting: where.
            one: an arm.
            other: an arm.
            value: of the first arm, and of the other unless ``of_other`` says otherwise.
            of_other: of the other arm.
        """
        mine, theirs = self.of(setting, one), self.of(setting, other)
        pairs = [
            (value(mine[seed]), (of_other or value)(theirs[seed]))
            for seed in sorted(mine.keys() & theirs.keys())
        ]
        return interval([a - b for a, b in pairs if a is not None and b is not None])


def server(cell: Json) -> float | None:
    """The accuracy of the server's model on the whole test set, in points."""
    return None if cell["server"] is None else 100 * float(cell["server"]["accuracy"])


def own(model: str) -> Value:
    """The mean over edges of the own accuracy of a model of theirs, in points."""

    def value(cell: Json) -> float | None:
        found = [edge["own"][model] for edge in cell["edges"] if model in edge["own"]]
        return 100 * statistics.fmean(each["accuracy"] for each in found) if found else None

    return value


def samples(*kinds: str) -> Value:
    """The examples that an arm went through, of some kinds together."""
    return lambda cell: float(sum(cell["samples"][kind] for kind in kinds))


def p_of(heads: int, tosses: int) -> float:
    """P(so many heads or more) of a fair coin.

    The exact one-sided McNemar test (Psychometrika 12, 1947): of the examples on which two models
    differ, each is a loss with probability one half, if neither is better.
    """
    return float(bdtrc(heads - 1, tosses, 0.5)) if heads else 1.0


def is_below(against: Mapping[str, int]) -> bool:
    """Whether a model is significantly worse than the one that it was compared with."""
    wins, losses = against["wins"], against["losses"]
    return p_of(losses, wins + losses) < SIGNIFICANT


def is_above(against: Mapping[str, int]) -> bool:
    """Whether a model is significantly better than the one that it was compared with."""
    wins, losses = against["wins"], against["losses"]
    return p_of(wins, wins + losses) < SIGNIFICANT


def significantly_below(cells: Sequence[Json], model: str) -> tuple[int, int]:
    """On how many edges a model is significantly worse than that of the edge alone.

    Returns:
        (edges that are significantly below, all edges with that model).
    """
    found = [
        is_below(edge["against_alone"][model])
        for cell in cells
        for edge in cell["edges"]
        if model in edge["against_alone"]
    ]
    return sum(found), len(found)
