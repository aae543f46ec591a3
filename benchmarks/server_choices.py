"""What the server's own choices are worth: alignment, the start of its fine-tuning, its rate.

    python benchmarks/server_choices.py align --out=runs/choices

MNIST with 8,000 training examples and two edges. Accuracies are in percent of the test set,
means over seeds and over edges; the last column counts the examples that the server went
through, probes and their evaluation included. Every run is resumable.
"""

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ecavg_tf.quiet import import_tensorflow

import_tensorflow()

from rich import box  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

import ecavg_tf  # noqa: E402
from ecavg_tf.config import Align, Config, PartitionKind, PoolRate  # noqa: E402
from ecavg_tf.results import RunResults  # noqa: E402

SPLITS = (PartitionKind.IID, PartitionKind.DIRICHLET, PartitionKind.CLASSES)
EXAMPLES = 8000


@dataclass(frozen=True)
class Setting:
    """One line of a table: a name, and what it changes of the config."""

    name: str
    change: Callable[[Config], None]


def align(config: Config, how: Align) -> None:
    """Edges that start apart."""
    config.model.init = "independent"
    config.server.align = how


def start(config: Config, combine: str, warmup: int, share: float) -> None:
    """What is fine-tuned, from which start, with how much pooled."""
    config.server.combine = combine
    config.server.warmup_epochs = warmup
    config.server.pool_fraction = share


def rate(config: Config, rule: PoolRate, warmup: float, share: float) -> None:
    """The learning rate of the fine-tuning."""
    config.server.pool_fraction = share
    config.server.rate_for_pool = rule
    config.server.rate_warmup = warmup


STUDIES: dict[str, list[Setting]] = {
    "align": [
        Setting(f"align={how.value}", lambda config, how=how: align(config, how))  # type: ignore[misc]
        for how in Align
    ],
    "start": [
        Setting(
            f"{combine}, warm-up {warmup}, {100 * share:g} % pooled",
            lambda config, c=combine, w=warmup, s=share: start(config, c, w, s),  # type: ignore[misc]
        )
        for share in (1.0, 0.1)
        for warmup in (0, 1)
        for combine in ("average", "start", "auto")
    ],
    "rate": [
        Setting(
            f"rate {rule.value}, warm-up {warmup}, {100 * share:g} % pooled",
            lambda config, r=rule, w=warmup, s=share: rate(config, r, w, s),  # type: ignore[misc]
        )
        for share, rules in ((1.0, (PoolRate.AS_GIVEN,)), (0.1, tuple(PoolRate)))
        for rule in rules
        for warmup in (0.0, 0.1)
    ],
}


def config_of(split: PartitionKind, seed: int, setting: Setting) -> Config:
    """MNIST's task, small."""
    config = Config(seed=seed)
    config.data.name = "mnist"
    config.data.train_examples = EXAMPLES
    config.partition.kind = split
    config.partition.alpha = 0.3
    setting.change(config)
    return config


def row(name: str, runs: list[RunResults]) -> list[str]:
    """Means of one setting on one split."""
    last = [run.rounds[-1] for run in runs]
    edges = [edge for each in last for edge in each.edges]
    columns = [
        [each.server.averaged.all.accuracy for each in last if each.server.averaged.all],
        [each.server.global_.all.accuracy for each in last if each.server.global_.all],
        [edge.local.own.accuracy for edge in edges if edge.local and edge.local.own],
        [edge.accepted.own.accuracy for edge in edges if edge.accepted and edge.accepted.own],
    ]
    chosen = ", ".join(
        each.choice.taken.split()[0] + (" > midpoint" if each.choice.midpoint else "")
        for each in last
        if each.choice
    )
    config = runs[0].config["server"]
    processed = [
        each.samples.server * config["epochs"]
        + each.warmed_up
        + (each.choice.processed if each.choice else 0)
        for each in last
    ]
    cells = (f"{100 * statistics.mean(column):.2f}" for column in columns)
    return [name, *cells, f"{statistics.mean(processed):,.0f}", chosen]


def main() -> None:
    """Parses, runs, prints one table a split."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    for split in SPLITS:
        table = Table(box=box.MARKDOWN)
        for column in (
            "setting",
            "averaged",
            "global",
            "local own",
            "accepted own",
            "server",
            "took",
        ):
            table.add_column(column)
        for setting in STUDIES[arguments.study]:
            runs = []
            for seed in range(arguments.seeds):
                name = "".join(c if c.isalnum() else "-" for c in f"{split.value}-{setting.name}")
                folder = arguments.out / arguments.study / f"{name}-{seed}"
                runs.append(ecavg_tf.run(config_of(split, seed, setting), folder))
            table.add_row(*row(setting.name, runs))
        Console(width=160).print(f"{split.value}, {arguments.seeds} seeds", table)


if __name__ == "__main__":
    main()
