"""How often the export's gate lets files pass, in worlds of known truth; nothing is converted.

    python benchmarks/gate_error_rates.py --trials=2000

In the worlds of the first table a file is truly at a limit: it loses two points of accuracy, or
differs on 7 % of labels. So every pass is an error. In those of the second it loses nothing.
Files differ from Keras on 1 to 7 % of labels, as int8 files do; a tuned file may differ on more.
Each cell gives the shares of passed, undecided and failed files, in %. "Three tries": the file is
made in three ways, each independently as bad or as good, and passes if one of them does; every
try has the share of the level that the export gives it. A tuned file is the last of three. "Seen":
training examples; "further" ones join where the others don't decide. In the worlds of the third
table the file does better on training examples than on new ones; "unlike": the share on new ones.
"""

import argparse
from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from ecavg_tf.config import Format, Limits
from ecavg_tf.core.bundles.bundle import TensorSpec
from ecavg_tf.core.exports import Proportion, Verdict
from export.proving import claims, gate
from export.proving.claims import level_of
from export.proving.gate import Reference
from export.proving.judging import Seen, judge, judge_tuned

SIZES = (  # test, seen and further seen examples
    (24, 0, 0), (24, 400, 0), (24, 1000, 4000),
    (400, 0, 0), (400, 600, 0), (400, 1000, 6000),
    (1500, 0, 0), (1500, 0, 6000), (4000, 0, 0), (4000, 0, 6000),
)  # fmt: skip
OUTPUT = TensorSpec((1, 3), "int8", 0.08, 0)
# What Keras and the file say of an example, and its label: both right, both wrong and alike,
# lost, won, both wrong and unlike. Labels change where Keras is unsure, as they really do.
SURE, UNSURE, CHANGED = [0.9, 0.06, 0.04], [0.5, 0.4, 0.1], [0.42, 0.48, 0.1]
KERAS = np.array([SURE, SURE, UNSURE, UNSURE, UNSURE])
FILE = np.array([SURE, SURE, CHANGED, CHANGED, CHANGED])
LABELS = np.array([0, 1, 0, 1, 2])
BOTH_WRONG = 0.3  # of the labels that change: neither is right


@dataclass(frozen=True)
class World:
    """How a file differs from its model.

    Attributes:
        accuracy: of Keras.
        differs: share of labels that change.
        loss: true loss of accuracy.
        tuned: whether the file was tuned for int8.
        tries: in how many ways the file is made.
        spared: of the labels that change, the share that does not on training examples.
    """

    accuracy: float
    differs: float
    loss: float
    tuned: bool = False
    tries: int = 1
    spared: float = 0.0

    @property
    def levels(self) -> tuple[float, ...]:
        """The level of each try."""
        if self.tuned:
            return (level_of(False, 2),)
        others = self.tries - 1
        return tuple(level_of(number == 0, others) for number in range(self.tries))

    @property
    def chances(self) -> tuple[float, ...]:
        """Of each kind of example."""
        moved = max(self.loss, (1 - BOTH_WRONG) * self.differs)
        lost, won = (moved + self.loss) / 2, (moved - self.loss) / 2
        unlike = self.differs - moved
        return (self.accuracy - lost, 1 - self.accuracy - won - unlike, lost, won, unlike)

    @property
    def name(self) -> str:
        """What a table calls it."""
        kind = "tuned, " if self.tuned else "three tries, " if self.tries == 3 else ""
        seen = f", {100 * (1 - self.spared) * self.differs:.2g} % of seen" if self.spared else ""
        return (
            f"{kind}{100 * self.differs:g} % of labels differ{seen}, accuracy "
            f"{100 * self.accuracy:g} %"
        )

    def draw(self, n: int, rng: np.random.Generator) -> tuple[int, ...]:
        """How many of ``n`` independent examples are of each kind."""
        return tuple(rng.multinomial(n, self.chances).tolist())

    def draw_seen(self, n: int, rng: np.random.Generator) -> tuple[int, ...]:
        """Likewise of training examples."""
        kinds = self.draw(n, rng)
        spared = [int(rng.binomial(kind, self.spared)) for kind in kinds[2:]]
        alike = kinds[0] + sum(spared)
        return (
            alike,
            kinds[1],
            *(kind - less for kind, less in zip(kinds[2:], spared, strict=True)),
        )


def lossy_worlds() -> list[World]:
    """Worlds in which passing is always wrong."""
    quantized = [World(0.9, differs, 0.02) for differs in (0.02, 0.03, 0.05)]
    return [
        *quantized,
        World(0.5, 0.05, 0.02),
        World(0.9, 0.07, 0.0),
        World(0.9, 0.07, 0.0, tries=3),
        *(World(0.9, differs, 0.02, tries=3) for differs in (0.02, 0.05)),
        *(World(0.5, differs, 0.02, tuned=True) for differs in (0.05, 0.13, 0.25)),
    ]


def sound_worlds() -> list[World]:
    """Worlds in which passing is right."""
    return [
        *(World(0.9, differs, 0.0) for differs in (0.002, 0.01, 0.03, 0.05, 0.06)),
        *(World(0.9, differs, 0.0, tries=3) for differs in (0.01, 0.05)),
        *(World(0.5, differs, 0.0, tuned=True) for differs in (0.05, 0.13, 0.25)),
    ]


def sparing_worlds() -> list[World]:
    """Worlds in which training examples flatter the file."""
    return [
        World(0.9, differs, 0.0, tries=3, spared=spared)
        for differs in (0.07, 0.075, 0.08)
        for spared in (0.1, 0.3)
    ]


def rates(
    world: World, sizes: tuple[int, int, int], *, trials: int, seed: int
) -> dict[Verdict, float]:
    """Shares of the verdicts on files of a world.

    Args:
        world: the truth.
        sizes: how many test examples, seen and further seen ones.
        trials: how many files.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    counts: Counter[Verdict] = Counter()
    test, seen, further = sizes
    for _ in range(trials):
        found = [
            verdict_of(
                world.draw(test, rng),
                world.draw_seen(seen, rng),
                world.draw_seen(further, rng),
                world.tuned,
                level,
            )
            for level in world.levels
        ]
        counts[min(found, key=_ORDER.index)] += 1
    return {verdict: counts[verdict] / trials for verdict in Verdict}


def verdict_of(
    test: tuple[int, ...],
    seen: tuple[int, ...],
    further: tuple[int, ...],
    tuned: bool,
    level: float,
) -> Verdict:
    """What the gate says of a file; labels that don't change may be right or wrong alike."""
    alike = ((sum(kinds[:2]), 0, *kinds[2:]) for kinds in (test, seen, further))
    return _judged(*alike, tuned, level)


@cache
def _judged(
    test: tuple[int, ...],
    seen: tuple[int, ...],
    further: tuple[int, ...],
    tuned: bool,
    level: float,
) -> Verdict:
    reference, answers = _examples(test, "test")
    about = (Format.INT8, OUTPUT, Limits())
    if tuned:
        return judge_tuned(reference, answers, answers, *about, logits=True, level=level).verdict
    more = Seen(*_examples(seen, "seen")) if sum(seen) else None

    def yet_more() -> Seen:
        return Seen(*_examples(further, "further"))

    return judge(
        reference, answers, *about, logits=True, seen=more,
        further=yet_more if sum(further) else None, level=level,
    ).verdict  # fmt: skip


def _examples(counts: tuple[int, ...], words: str) -> tuple[Reference, np.ndarray]:
    """Examples with Keras' answers, and the file's answers to them."""
    kinds = np.repeat(np.arange(len(KERAS)), counts)
    return Reference(np.zeros((len(kinds), 1)), KERAS[kinds], LABELS[kinds], words), FILE[kinds]


def main() -> None:
    """Parses, simulates, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--columns", default="", help="such as 400/0/0,400/1000/6000; default: all")
    parser.add_argument("--rows", default="", help="only those whose names contain this")
    arguments = parser.parse_args()
    asked = arguments.columns.split(",")
    wanted = [sizes for sizes in SIZES if asked == [""] or "/".join(map(str, sizes)) in asked]
    # These change no verdict, and take long: how many examples are missing, and intervals.
    setattr(claims, "_needed", lambda *_: None)  # noqa: B010
    setattr(gate, "wilson", lambda hits, n: Proportion(hits / n, 0.0, 1.0))  # noqa: B010
    for title, worlds in (
        ("at a limit: passed / undecided / failed, %", lossy_worlds()),
        ("nothing is lost: passed / undecided / failed, %", sound_worlds()),
        ("over the limit, less on seen: passed / undecided / failed, %", sparing_worlds()),
    ):
        table = Table(box=box.MARKDOWN)
        for column in ("file", *map(_words, wanted)):
            table.add_column(column)
        for world in (each for each in worlds if arguments.rows in each.name):
            cells = [_cell(world, sizes, arguments.trials) for sizes in wanted]
            table.add_row(world.name, *cells)
        Console(width=250).print(title, table)


def _words(sizes: tuple[int, int, int]) -> str:
    return " + ".join(
        f"{n} {what}" for n, what in zip(sizes, ("test", "seen", "further"), strict=True) if n
    )


def _cell(world: World, sizes: tuple[int, int, int], trials: int) -> str:
    if world.tuned and any(sizes[1:]):
        return "–"  # it was tuned on them: they prove nothing
    if world.spared and not sum(sizes[1:]):
        return "–"
    found = rates(world, sizes, trials=trials, seed=sum(sizes))
    return " / ".join(f"{100 * found[verdict]:.1f}".removesuffix(".0") for verdict in _ORDER)


_ORDER = (Verdict.PASSED, Verdict.UNDECIDED, Verdict.FAILED)


if __name__ == "__main__":
    main()
