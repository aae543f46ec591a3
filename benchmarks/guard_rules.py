"""Which rule certifies most at the same level, on differences between real models.

    python benchmarks/guard_worlds.py mnist --out=runs/guard-worlds
    python benchmarks/guard_rules.py runs/guard-worlds --trials=400

Guard sets are drawn from what real rungs said of thousands of examples, so the true gain of
each is known. ``right``: a rung that is truly better was taken; ``gained``: the mean true gain
of what the edge then deploys, in nats; ``wrong``: a rung that is no better was taken, in the
world as it is; ``fair``: the same where examples are re-weighted until every rung's true gain
is 0 (maximum entropy), so that every acceptance is false. All rules use Gaffke's tail (its
saddle-point form, for many samples at once) and McNemar's veto.
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table
from scipy import optimize, special, stats

from ecavg_tf.core.deciding.guard import VETO, smoothed, worst_gain
from ecavg_tf.core.deciding.predictions import Predictions

CLASSES = 10
LOWEST = worst_gain(CLASSES)
SIZES = (100, 500, 2000)
DRAWS = 1000  # of weights on the simplex, for the joint rule
_STEEPEST = 20.0  # a world that would have to be tilted further is no world like this one
SAME = 1e-4  # nats: a smaller true gain is none

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Population:
    """Real models' differences on many examples.

    Attributes:
        name: what a table calls it.
        gains: smoothed log-likelihood of each rung minus the base's, shape (rungs, examples).
        hits: 1 where only the rung is right, -1 where only the base is, shape likewise.
        labels: shape (examples,).
        chances: of each example, shape (examples,).
    """

    name: str
    gains: Floats
    hits: Floats
    labels: NDArray[np.int64]
    chances: Floats

    @property
    def true_gains(self) -> Floats:
        """Of each rung, nats."""
        found: Floats = self.gains @ self.chances
        return found

    def fair(self) -> "Population | None":
        """The world closest to this one in which no rung is better; None: there is none."""
        scaled = self.gains / self.gains.std(axis=1, keepdims=True)

        def log_mean(tilt: Floats) -> tuple[float, Floats]:
            exponents = tilt @ scaled
            top = exponents.max()
            masses = np.exp(exponents - top)
            return top + math.log(masses.mean()), scaled @ masses / masses.sum()

        found = optimize.minimize(
            log_mean, np.zeros(len(scaled)), jac=True, method="L-BFGS-B",
            bounds=[(-_STEEPEST, _STEEPEST)] * len(scaled), options={"ftol": 1e-15, "gtol": 1e-8},
        )  # fmt: skip
        masses = np.exp(found.x @ scaled - (found.x @ scaled).max())
        made = Population(self.name, self.gains, self.hits, self.labels, masses / masses.sum())
        return made if np.abs(made.true_gains).max() < SAME else None


def load(folder: Path) -> list[Population]:
    """Every edge that ``guard_worlds.py`` has recorded."""
    made = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as kept:
            said = [
                Predictions(log_likelihood, correct)
                for log_likelihood, correct in zip(
                    kept["log_likelihood"], kept["correct"], strict=True
                )
            ]
            labels = kept["labels"].astype(np.int64)
        likelihoods = np.array([smoothed(each, CLASSES) for each in said])
        right = np.array([each.correct for each in said], np.float64)
        chances = np.full(len(labels), 1 / len(labels))
        made.append(
            Population(
                path.stem, likelihoods[:-1] - likelihoods[-1], right[:-1] - right[-1],
                labels, chances,
            )
        )  # fmt: skip
    return made


def disasters(chance: float, *, shared: bool, better: bool = False) -> Population:
    """Six rungs that are a little better, but in one of so many examples as bad as can be.

    Args:
        chance: of the disaster; the small gain outweighs it exactly.
        shared: all rungs have it on the same examples, otherwise each on its own.
        better: the last rung has none, and so a true gain.
    """
    rungs, size = 6, 60_000
    rng = np.random.default_rng(0)
    bad = rng.random((1 if shared else rungs, size)) < chance
    gains = np.where(bad, -3.0, 0.0) + np.zeros((rungs, 1))
    gains -= gains.mean(axis=1, keepdims=True)  # what the others gain instead
    noise = rng.normal(0, 0.02, (rungs, size))
    gains += noise - noise.mean(axis=1, keepdims=True)
    if better:
        gains[-1] = np.where(rng.random(size) < 0.5, 0.2, -0.1)
    where = f"1 in {1 / chance:.0f}, {'shared' if shared else 'each its own'}"
    return Population(
        f"disasters {where}{', one better' if better else ''}", gains, np.zeros_like(gains),
        np.zeros(size, np.int64), np.full(size, 1 / size),
    )  # fmt: skip


def adverse_worlds() -> list[Population]:
    """Worlds in which small samples mislead, with six rungs to be misled by."""
    return [
        disasters(chance, shared=shared, better=better)
        for chance in (0.02, 0.005, 0.001)
        for shared in (False, True)
        for better in (False, True)
    ]


def tail(gains: Floats, lowest: float | Floats = LOWEST) -> Floats:
    """Gaffke's p-value of "the mean is at most 0", for many samples at once.

    P(sum of E_i x_i <= 0) for exponential E_i and the sample with its worst value, by
    Lugannani and Rice (Advances in Applied Probability 12, 1980).

    Args:
        gains: shape (..., n).
        lowest: no gain can be lower; shape () or (...).
    """
    extra = np.broadcast_to(np.asarray(lowest), gains.shape[:-1])[..., None]
    x = np.concatenate([gains, extra], axis=-1)
    above = x.sum(axis=-1) > 0
    low, high = np.zeros(above.shape), -1 / x.min(axis=-1)
    for _ in range(40):
        s = (low + high) / 2
        rises = (x / (1 + s[..., None] * x)).sum(axis=-1) > 0
        low, high = np.where(rises, s, low), np.where(rises, high, s)
    s = low
    w = -np.sqrt(2 * np.log1p(s[..., None] * x).sum(axis=-1))
    u = -s * np.sqrt(((x / (1 + s[..., None] * x)) ** 2).sum(axis=-1))
    with np.errstate(all="ignore"):
        p = stats.norm.cdf(w) + stats.norm.pdf(w) * (1 / w - 1 / u)
    return np.where(above & np.isfinite(p), np.clip(p, 0, 1), np.where(above, 0.5, 1.0))


def no_loss(hits: Floats) -> NDArray[np.bool_]:
    """McNemar's veto; hits have shape (..., n)."""
    wins, losses = (hits > 0).sum(axis=-1), (hits < 0).sum(axis=-1)
    n = wins + losses
    p = stats.binom.sf(losses, n, 0.5) + stats.binom.pmf(losses, n, 0.5) / 2
    ok: NDArray[np.bool_] = p > VETO
    return ok


@dataclass(frozen=True)
class Draw:
    """Many guard sets.

    Attributes:
        gains: shape (trials, rungs, n).
        hits: likewise.
        labels: shape (trials, n).
        mix: share of each class in the population.
        level: of a decision.
    """

    gains: Floats
    hits: Floats
    labels: NDArray[np.int64]
    mix: Floats
    level: float


Rule = Callable[[Draw], NDArray[np.int64]]
"""Gives the accepted rung of each trial; -1: the base stays."""


def by_mean(gains: Floats, ahead: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Today's: the best mean, or rung 0 within a standard error; and whether it looks better."""
    del ahead
    means = gains.mean(axis=-1)
    best = means.argmax(axis=-1)
    rows = np.arange(len(best))
    behind = gains[rows, best] - gains[:, 0]
    close = behind.mean(axis=-1) <= behind.std(axis=-1) / math.sqrt(gains.shape[-1])
    best = np.where((means[:, 0] > 0) & close, 0, best)
    return best, means[rows, best] > 0


def by_promise(gains: Floats, ahead: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The largest expected certified gain: the mean, times its chance to be certified."""
    means = gains.mean(axis=-1)
    spread = np.sqrt(gains.var(axis=-1) * ahead + LOWEST**2)
    shift = (means * ahead + LOWEST) / spread
    promise = means * special.ndtr(shift - stats.norm.isf(0.05))
    best = np.where((means > 0).any(axis=-1), promise.argmax(axis=-1), means.argmax(axis=-1))
    return best, means[np.arange(len(best)), best] > 0


def split(
    share: float, choose: Callable[..., tuple[NDArray[np.int64], NDArray[np.bool_]]] = by_mean,
    *, always: bool = False, test: Callable[[Floats], Floats] = tail, adjusted: bool = False,
) -> Rule:  # fmt: skip
    """Selects on one part and certifies on the other."""

    def rule(draw: Draw) -> NDArray[np.int64]:
        cut = max(2, round(share * draw.gains.shape[-1]))
        best, better = choose(draw.gains[..., :cut], draw.gains.shape[-1] - cut)
        rows = np.arange(len(best))
        gains, hits = draw.gains[rows, best, cut:], draw.hits[rows, best, cut:]
        if adjusted:
            gains, lowest = by_class(draw, draw.gains[rows, best], cut)
            p = tail(gains, lowest)
        else:
            p = test(gains)
        holds = (p <= draw.level) & no_loss(hits) & (better | always)
        return np.where(holds, best, -1)

    return rule


def by_class(draw: Draw, gains: Floats, cut: int) -> tuple[Floats, Floats]:
    """Control variate: the class's mean on the selecting part, whose expectation is known."""
    onehot = draw.labels[..., None] == np.arange(CLASSES)
    counts = onehot[:, :cut].sum(axis=1)
    sums = np.einsum("tn,tnc->tc", gains[:, :cut], onehot[:, :cut])
    means = sums / (counts + 5)
    centred = means - (means @ draw.mix)[:, None]
    shift = np.take_along_axis(centred, draw.labels[:, cut:], axis=1)
    return gains[:, cut:] - shift, LOWEST - centred.max(axis=1)


def best_of(holds: NDArray[np.bool_], means: Floats) -> NDArray[np.int64]:
    """The best of what holds."""
    ranked = np.where(holds, means, -np.inf)
    return np.where(holds.any(axis=-1), ranked.argmax(axis=-1), -1)


def bonferroni(draw: Draw) -> NDArray[np.int64]:
    """Every rung is tested on all examples, at the level over their number."""
    level = draw.level / draw.gains.shape[1]
    holds = (tail(draw.gains) <= level) & no_loss(draw.hits)
    return best_of(holds, draw.gains.mean(axis=-1))


def together(draw: Draw) -> NDArray[np.int64]:
    """All rungs at once on all examples, as ``core.deciding.together`` does it."""
    n = draw.gains.shape[-1]
    weights = np.random.default_rng(0).exponential(size=(n + 1, DRAWS))
    weights /= weights.sum(axis=0)
    out = []
    for gains, hits in zip(draw.gains, draw.hits, strict=True):
        means = gains.mean(axis=-1, keepdims=True)
        fall = means - (gains @ weights[:-1] + LOWEST * weights[-1])
        scale = fall.std(axis=1, keepdims=True)
        largest = (fall / scale).max(axis=0)
        p = (largest[None] >= means / scale).mean(axis=1)
        out.append(best_of(((p <= draw.level) & no_loss(hits))[None], means[None, :, 0])[0])
    return np.array(out)


def wealth(gains: Floats) -> Floats:
    """A betting e-value of "the mean is at most 0": a mixture over fixed bets.

    The mean over a grid of bets b of prod(1 + b x_i) (Waudby-Smith and Ramdas, JRSS-B 86,
    2024; the mixture is Cover's). It does not depend on the order of the examples.
    """
    bets = 0.98 / -LOWEST * (np.arange(20) + 0.5) / 20
    logs = np.array([np.log1p(bet * gains).sum(axis=-1) for bet in bets])
    value: Floats = np.exp(special.logsumexp(logs, axis=0) - math.log(len(bets)))
    return value


def betting(gains: Floats) -> Floats:
    """Its p-value, by Markov's inequality."""
    return np.minimum(1.0, 1 / wealth(gains))


def cross_fitted(folds: int, *, evidence: str) -> Rule:
    """Each fold tests what the others selected; a rung's evidence is put together.

    e-values: the mean of those of the folds that tested it, the others counting 0. p-values:
    the least, at the level over the folds.
    """

    def rule(draw: Draw) -> NDArray[np.int64]:
        trials, rungs, n = draw.gains.shape
        owner = np.arange(n) % folds
        values = np.zeros((folds, trials, rungs))
        for fold in range(folds):
            inside, outside = owner == fold, owner != fold
            best, better = by_mean(draw.gains[..., outside], int(inside.sum()))
            rows = np.arange(trials)
            gains = draw.gains[rows, best][:, inside]
            value = wealth(gains) if evidence == "e" else 1 / np.maximum(tail(gains), 1e-300)
            values[fold, rows, best] = np.where(better, value, 0)
        merged = values.mean(axis=0) if evidence == "e" else values.max(axis=0) / folds
        holds = (merged >= 1 / draw.level) & no_loss(draw.hits)
        return best_of(holds, draw.gains.mean(axis=-1))

    return rule


RULES: dict[str, Rule] = {
    "halves (before)": split(0.5),
    "halves, betting": split(0.5, test=betting),
    "halves, class means as control": split(0.5, adjusted=True),
    "halves, by promise": split(0.5, by_promise),
    "third selects": split(1 / 3),
    "third, by promise": split(1 / 3, by_promise),
    "quarter selects": split(0.25),
    "quarter, by promise": split(0.25, by_promise),
    "quarter, promise, always tests": split(0.25, by_promise, always=True),
    "fifth, by promise": split(0.2, by_promise),
    "cross-fitted, 2 folds, e": cross_fitted(2, evidence="e"),
    "cross-fitted, 2 folds, p": cross_fitted(2, evidence="p"),
    "cross-fitted, 4 folds, e": cross_fitted(4, evidence="e"),
    "all, Bonferroni": bonferroni,
    "all, jointly": together,
}


def drawn(
    world: Population, n: int, *, trials: int, level: float, rng: np.random.Generator
) -> Draw:
    """Guard sets of ``n`` independent examples."""
    where = rng.choice(len(world.labels), (trials, n), p=world.chances)
    mix = np.bincount(world.labels, world.chances, minlength=CLASSES)
    gains, hits = (np.moveaxis(each[:, where], 0, 1) for each in (world.gains, world.hits))
    return Draw(gains, hits, world.labels[where], mix.astype(np.float64), level)


def measured(
    world: Population, n: int, *, trials: int, level: float, seed: int
) -> dict[str, tuple[float, float, float]]:
    """(right, wrong, gained) of each rule."""
    rng = np.random.default_rng([seed, n])
    totals = {name: np.zeros(3) for name in RULES}
    true = np.append(world.true_gains, 0.0)  # the last is the base's, as -1 is
    batch = max(1, min(trials, 200_000 // n // len(true)))
    done = 0
    while done < trials:
        draw = drawn(world, n, trials=min(batch, trials - done), level=level, rng=rng)
        for name, rule in RULES.items():
            taken = rule(draw)
            gain = true[taken]
            took = taken >= 0
            totals[name] += (
                (took & (gain > SAME)).sum(),
                (took & (gain <= SAME)).sum(),
                gain.sum(),
            )
        done += draw.gains.shape[0]
    return {name: tuple((total / trials).tolist()) for name, total in totals.items()}


def report(title: str, worlds: list[Population], n: int, *, trials: int, level: float) -> None:
    """Prints one table: each rule's rates over the worlds."""
    real = [
        measured(each, n, trials=trials, level=level, seed=at) for at, each in enumerate(worlds)
    ]
    even = [each for each in (world.fair() for world in worlds if np.ptp(world.hits)) if each]
    fair = [measured(each, n, trials=trials, level=level, seed=at) for at, each in enumerate(even)]
    better = [at for at, world in enumerate(worlds) if world.true_gains.max() > SAME]
    table = Table(box=box.MARKDOWN)
    for column in ("rule", "right", "gained", "wrong", "wrong, worst", "fair", "fair, worst"):
        table.add_column(column)
    for name in RULES:
        right, gained = (np.mean([real[at][name][k] for at in better]) for k in (0, 2))
        wrong = [each[name][1] for each in real]
        null = [each[name][0] + each[name][1] for each in fair] or [math.nan]
        table.add_row(
            name, f"{100 * right:.1f} %", f"{gained:+.4f}",
            f"{100 * np.mean(wrong):.1f} %", f"{100 * max(wrong):.1f} %",
            f"{100 * np.mean(null):.1f} %", f"{100 * max(null):.1f} %",
        )  # fmt: skip
    counted = f"{len(better)} of {len(worlds)} worlds have a better rung, {len(fair)} made fair"
    Console(width=140).print(f"{title}, n = {n} guard examples; {counted}", table)


def main() -> None:
    """Parses, simulates, prints one table for each size and kind of world."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--level", type=float, default=0.05)
    parser.add_argument("--only", default="", help="words in a world's name, with a comma between")
    arguments = parser.parse_args()
    words = arguments.only.split(",")
    kinds = {"real models": load(arguments.folder), "disasters": adverse_worlds()}
    for title, worlds in kinds.items():
        chosen = [each for each in worlds if any(word in each.name for word in words)]
        for n in SIZES if chosen else ():
            report(title, chosen, n, trials=arguments.trials, level=arguments.level)


if __name__ == "__main__":
    main()
