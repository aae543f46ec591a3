"""Repeats a config over seeds and settings, and prints one table of means.

    python benchmarks/study.py mnist --out=runs/study-mnist

Every run is resumable: the same command goes on where it was cut off. Accuracies are
in percent on the test set at hand; "own" is the mean over edges. The spread is the
standard deviation over seeds.
"""

import argparse
import functools
import runpy
import statistics
from collections.abc import Callable
from pathlib import Path

from ecavg_tf.quiet import import_tensorflow

import_tensorflow()

from rich import box  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

import ecavg_tf  # noqa: E402
from ecavg_tf.config import Config, PartitionKind  # noqa: E402
from ecavg_tf.results import RoundResult, RunResults  # noqa: E402

CONFIGS = Path(__file__).parent.parent / "configs"


def mnist(partition: PartitionKind, init: str) -> Config:
    """The paper's MNIST task, 3 + 3 epochs, two edges."""
    config = Config()
    config.data.name = "mnist"
    config.partition.kind = partition
    config.model.init = init
    return config


def cifar(task: str, partition: PartitionKind, recalibrate: bool) -> Config:
    """A deep task as its config file has it."""
    config = runpy.run_path(str(CONFIGS / f"{task}.py"))["get_config"]()
    assert isinstance(config, Config)
    config.partition.kind = partition
    config.edge.recalibrate = config.server.recalibrate = recalibrate
    return config


def deep(task: str) -> dict[str, Callable[[], Config]]:
    """A deep task's settings: both partitions, with BatchNorm recalibration and without."""
    return {
        partition.value + ("" if recalibrate else ", not recalibrated"): functools.partial(
            cifar, task, partition, recalibrate
        )
        for partition in (PartitionKind.CLASSES, PartitionKind.IID)
        for recalibrate in (True, False)
    }


STUDIES: dict[str, dict[str, Callable[[], Config]]] = {
    "mnist": {
        f"{partition.value}, {init}": functools.partial(mnist, partition, init)
        for partition in (PartitionKind.CLASSES, PartitionKind.IID)
        for init in ("shared", "independent")
    },
    "cifar10": deep("cifar10_mobilenetv2"),
    "cifar100": {
        name: make for name, make in deep("cifar100_resnet50").items() if "not" not in name
    },
}


def row(setting: str, runs: list[RunResults]) -> list[str]:
    """One line of the table."""
    last = [run.rounds[-1] for run in runs]
    columns: list[Callable[[RoundResult], float]] = [
        lambda r: _edges(r, "local"),
        lambda r: _edges(r, "local", "all"),
        lambda r: _edges(r, "global_"),
        lambda r: _edges(r, "accepted"),
        lambda r: 100 * (r.server.averaged.all.accuracy if r.server.averaged.all else 0),
        lambda r: 100 * (r.server.recalibrated.all.accuracy if r.server.recalibrated.all else 0),
        lambda r: 100 * (r.server.global_.all.accuracy if r.server.global_.all else 0),
    ]
    worse = sum(
        edge.accepted.own.accuracy < edge.local.own.accuracy
        for r in last
        for edge in r.edges
        if edge.accepted and edge.accepted.own and edge.local and edge.local.own
    )
    edges = sum(len(r.edges) for r in last)
    return [setting, *(_spread([c(r) for r in last]) for c in columns), f"{worse} of {edges}"]


def _edges(result: RoundResult, stage: str, distribution: str = "own") -> float:
    scores = (getattr(getattr(edge, stage), distribution) for edge in result.edges)
    return 100 * float(statistics.mean(score.accuracy for score in scores))


def _spread(values: list[float]) -> str:
    deviation = f" ±{statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{deviation}"


def main() -> None:
    """Parses, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="one setting of the study")
    arguments = parser.parse_args()
    print(f"{arguments.study}, mean over {arguments.seeds} seeds, accuracy in %")
    table = Table(box=box.MARKDOWN)
    for name in (
        "setting", "local own", "local all", "global own", "accepted own",
        "averaged all", "recalibrated all", "global all", "edges that end worse",
    ):  # fmt: skip
        table.add_column(name)
    for setting, make in STUDIES[arguments.study].items():
        if arguments.only not in ("", setting):
            continue
        runs = []
        for seed in range(arguments.seeds):
            config = make()
            config.seed = seed
            folder = arguments.out / f"{setting.replace(', ', '-').replace(' ', '-')}-{seed}"
            runs.append(ecavg_tf.run(config, folder))
            print(f"{folder.name} done", flush=True)
        table.add_row(*row(setting, runs))
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
