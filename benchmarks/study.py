"""Repeats a config over seeds and settings, and prints one table of means.

    python benchmarks/study.py mnist --out=runs/study-mnist

Every run is resumable: the same command goes on where it was cut off. Accuracies are
in percent on the test set at hand; "own" is the mean over edges, and "worse" counts the
edges that a model serves worse than their local one. The spread is the standard
deviation over seeds. What ``update.policy=replace`` would accept is the global model.
"""

import argparse
import runpy
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ecavg_tf.quiet import import_tensorflow

import_tensorflow()

import numpy as np  # noqa: E402
from rich import box  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

import ecavg_tf  # noqa: E402
from ecavg_tf.config import Config, PartitionKind  # noqa: E402
from ecavg_tf.core.scores import Accepted, Rung, Scores  # noqa: E402
from ecavg_tf.report.gains import TIE  # noqa: E402
from ecavg_tf.results import EdgeResult, RunResults  # noqa: E402

CONFIGS = Path(__file__).parent.parent / "configs"


@dataclass(frozen=True)
class Setting:
    """One line of a study.

    Attributes:
        name: what the table calls it.
        make: gives its config.
    """

    name: str
    make: Callable[[], Config]


def mnist(partition: PartitionKind, init: str, rounds: int = 1) -> Setting:
    """The paper's MNIST task, 3 + 3 epochs, two edges."""

    def make() -> Config:
        config = Config(rounds=rounds)
        config.data.name = "mnist"
        config.partition.kind = partition
        config.model.init = init
        return config

    return Setting(f"{partition.value}, {init}", make)


def deep(task: str, partition: PartitionKind, *, recalibrate: bool = True) -> Setting:
    """A deep task as its config file has it, on another partition."""

    def make() -> Config:
        config = runpy.run_path(str(CONFIGS / f"{task}.py"))["get_config"]()
        assert isinstance(config, Config)
        config.partition.kind = partition
        if not recalibrate:  # nothing is worth a decision then
            config.edge.recalibrate = config.server.recalibrate = False
            config.update.policy = "replace"
            return config
        config.partition.alpha = 0.3
        return config

    return Setting(partition.value + ("" if recalibrate else ", not recalibrated"), make)


CLASSES, DIRICHLET, IID = PartitionKind.CLASSES, PartitionKind.DIRICHLET, PartitionKind.IID
STUDIES: dict[str, list[Setting]] = {
    "mnist": [mnist(kind, init) for kind in (CLASSES, IID) for init in ("shared", "independent")],
    "mnist-rounds": [mnist(kind, "shared", rounds=3) for kind in (CLASSES, DIRICHLET, IID)],
    "cifar10": [
        *(deep("cifar10_mobilenetv2", kind) for kind in (CLASSES, DIRICHLET, IID)),
        *(deep("cifar10_mobilenetv2", kind, recalibrate=False) for kind in (CLASSES, IID)),
    ],
    "cifar100": [deep("cifar100_resnet50", kind) for kind in (CLASSES, IID)],
}


def server_row(setting: str, runs: list[RunResults]) -> list[str]:
    """The server's stages, over the last rounds of several runs."""
    stages = ("averaged", "recalibrated", "global_")
    columns = [
        [getattr(run.rounds[-1].server, stage).all.accuracy for run in runs] for stage in stages
    ]
    return [setting, *map(_spread, columns)]


def edges_row(setting: str, runs: list[RunResults]) -> list[str]:
    """The edges' own accuracy, over the last rounds of several runs."""
    edges = [edge for run in runs for edge in run.rounds[-1].edges]
    local = [_own(edge.local) for edge in edges]
    accepted = [_own(edge.accepted) for edge in edges]
    stages = [local, [_own(edge.global_) for edge in edges], [_prior(e) for e in edges], accepted]
    taken = Counter(edge.accepted.rung for edge in edges if edge.accepted)
    return [
        setting,
        *(_spread(_means(stage, len(runs))) for stage in stages),
        *(f"{_worse(stage, local)} of {len(edges)}" for stage in stages[1:]),
        ", ".join(f"{rung} {count}" for rung, count in taken.most_common()),
    ]


def _own(scores: Scores | Accepted | Rung | None) -> float | None:
    return None if scores is None or scores.own is None else scores.own.accuracy


def _prior(edge: EdgeResult) -> float | None:
    return _own(next((rung for rung in edge.rungs if rung.rung == "prior"), None))


def _worse(stage: list[float | None], local: list[float | None]) -> int:
    pairs = zip(stage, local, strict=True)
    return sum(a < b - TIE for a, b in pairs if a is not None and b is not None)


def _means(values: list[float | None], runs: int) -> list[float]:
    """One mean over edges for each run; all runs have as many edges."""
    if None in values:
        return []
    means = np.reshape(np.array(values, np.float64), (runs, -1)).mean(axis=1)
    return [float(mean) for mean in means]


def _spread(values: list[float]) -> str:
    if not values:
        return "–"
    deviation = f" ±{100 * statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.2f}{deviation}"


def kept(name: str, results: RunResults) -> Iterator[str]:
    """A line for every edge that kept what it had: which, and the bound that made it so."""
    for result in results.rounds:
        for edge in result.edges:
            evidence = edge.accepted.evidence if edge.accepted else {}
            if evidence.get("policy") == "guarded" and evidence["reason"] != "certified":
                bound = evidence.get("bound")
                shown = "" if bound is None else f", bound {bound:+.4f} nats"
                yield (
                    f"{name}, round {result.round}: {edge.edge} kept {evidence['base']}; tested "
                    f"{evidence['tested']}: {evidence['reason']}{shown} (n = {evidence['n']})"
                )


def changed(name: str, results: RunResults) -> Iterator[str]:
    """A line for every change of a deployed model: on test examples, and the guard's bound."""
    before: dict[str, float] = {}
    for result in results.rounds:
        for edge in result.edges:
            now, known = _own(edge.accepted), before.get(edge.edge)
            evidence = edge.accepted.evidence.get("since_previous") if edge.accepted else None
            if now is not None and known is not None and evidence and edge.accepted:
                yield (
                    f"{name}, round {result.round}: {edge.edge} took {edge.accepted.rung}: own "
                    f"{100 * (now - known):+.2f} points, bound "
                    f"{100 * evidence['accuracy_bound']:+.2f}"
                )
            if now is not None:
                before[edge.edge] = now


def main() -> None:
    """Parses, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="one setting of the study")
    arguments = parser.parse_args()
    print(f"{arguments.study}, mean over {arguments.seeds} seeds, accuracy in %")
    tables = _table("setting", "averaged", "recalibrated", "global"), _table(
        "setting", "local", "global", "prior", "accepted",
        "worse: global", "worse: prior", "worse: accepted", "taken",
    )  # fmt: skip
    lines: list[str] = []
    for setting in STUDIES[arguments.study]:
        if arguments.only not in ("", setting.name):
            continue
        runs = []
        for seed in range(arguments.seeds):
            config = setting.make()
            config.seed = seed
            name = f"{setting.name.replace(', ', '-').replace(' ', '-')}-{seed}"
            runs.append(ecavg_tf.run(config, arguments.out / name))
            print(f"{name} done", flush=True)
            lines += [*kept(name, runs[-1]), *changed(name, runs[-1])]
        for table, row in zip(tables, (server_row, edges_row), strict=True):
            table.add_row(*row(setting.name, runs))
    console = Console(width=170)
    for title, table in zip(("server, all", "edges, own"), tables, strict=True):
        console.print(title, table)
    print("\n".join(lines))


def _table(*columns: str) -> Table:
    table = Table(box=box.MARKDOWN)
    for column in columns:
        table.add_column(column)
    return table


if __name__ == "__main__":
    main()
