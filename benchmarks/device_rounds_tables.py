"""The tables of ``device_rounds.py``: runs of several fleets side by side."""

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.scores import Accepted, Score, Scores
from ecavg_tf.results import EdgeResult, RunResults

KERAS = "Keras"  # the fleet that the others are compared with
STAGES = ("start", "local", "accepted")


@dataclass(frozen=True)
class Comparison:
    """All fleets of one seed.

    Attributes:
        seed: the runs' seed.
        folder: where they lie, each in a folder of its fleet's name.
        runs: results by fleet.
    """

    seed: int
    folder: Path
    runs: Mapping[str, RunResults]


def server(run: RunResults) -> list[float]:
    """The global model's accuracy after every round, whole test set, in %."""
    return [_percent(result.server.global_.all) for result in run.rounds]


def own(run: RunResults, stage: str) -> list[float]:
    """Own accuracy of a stage, in %: all rounds, in each all edges."""
    return [_own(getattr(edge, stage)) for result in run.rounds for edge in result.edges]


def print_comparison(comparison: Comparison) -> None:
    """Prints one seed's tables."""
    runs = comparison.runs
    rounds = range(1, 1 + len(next(iter(runs.values())).rounds))
    table = _table("edges", *(f"round {number}" for number in rounds))
    for fleet, run in runs.items():
        table.add_row(fleet, *(f"{accuracy:.2f}" for accuracy in server(run)))
    _show(f"\nseed {comparison.seed}: the server's global model, accuracy in %", table)
    table = _table("round", "edge", *STAGES, "takes")
    for number in rounds:
        for at, edge in enumerate(next(iter(runs.values())).rounds[number - 1].edges):
            same = [run.rounds[number - 1].edges[at] for run in runs.values()]
            table.add_row(str(number), edge.edge, *_side_by_side(same))
    _show(f"seed {comparison.seed}: edges, own accuracy in %, {' / '.join(runs)}", table)
    for fleet in runs:
        if fleet != KERAS:
            each = ", ".join(f"{value:.1e}" for value in first_updates_differ(comparison, fleet))
            print(f"{fleet}: weights of the first local models differ by at most {each}")
    for line in decided_otherwise(comparison):
        print(line)


def _side_by_side(edges: Sequence[EdgeResult]) -> list[str]:
    cells = [" / ".join(f"{_own(getattr(edge, stage)):.2f}" for edge in edges) for stage in STAGES]
    rungs = [edge.accepted.rung if edge.accepted else "–" for edge in edges]
    return [*cells, rungs[0] if len(set(rungs)) == 1 else " / ".join(rungs)]


def decided_otherwise(comparison: Comparison) -> Iterator[str]:
    """A line for every decision that did not fall as with Keras edges, with both bounds."""
    for fleet, run in comparison.runs.items():
        for result, theirs in zip(run.rounds, comparison.runs[KERAS].rounds, strict=True):
            for edge, other in zip(result.edges, theirs.edges, strict=True):
                if _rung(edge) != _rung(other):
                    yield (
                        f"{fleet}, round {result.round}, {edge.edge}: {_decided(edge)}; "
                        f"{KERAS}: {_decided(other)}"
                    )


def _decided(edge: EdgeResult) -> str:
    evidence = edge.accepted.evidence if edge.accepted else {}
    if evidence.get("bound") is None:
        return f"{_rung(edge)}, nothing better to test"
    return f"{_rung(edge)}, having tested {evidence['tested']}: bound {evidence['bound']:+.4f} nats"


def print_summary(comparisons: Sequence[Comparison]) -> None:
    """Prints the last round's means over seeds, and how far fleets are from Keras edges."""
    rounds = len(comparisons[0].runs[KERAS].rounds)
    table = _table("edges", "server", *(f"own, {stage}" for stage in STAGES), "kB an update")
    for fleet in comparisons[0].runs:
        runs = [comparison.runs[fleet] for comparison in comparisons]
        stages = ([_mean_of_last(run, stage) for run in runs] for stage in STAGES)
        size = first_updates(comparisons[0], fleet)[0].stat().st_size
        accuracies = [server(run)[-1] for run in runs]
        table.add_row(fleet, _spread(accuracies), *map(_spread, stages), f"{size / 1000:,.1f}")
    seeds = ", ".join(str(comparison.seed) for comparison in comparisons)
    _show(f"\nround {rounds}, accuracy in %, mean ± standard deviation over seeds {seeds}", table)
    differ = _table("edges", "server", *(f"own, {stage}" for stage in STAGES), "rungs", "weights")
    for fleet in comparisons[0].runs:
        if fleet != KERAS:
            differ.add_row(fleet, *_differences(comparisons, fleet))
    _show("largest difference from Keras edges, in points: any seed, round and edge", differ)
    print("rungs: decisions that fell alike; weights: of the first round's local models")
    if len(comparisons) > 1:
        spread = max(
            statistics.stdev(accuracies)
            for accuracies in zip(*(server(c.runs[KERAS]) for c in comparisons), strict=True)
        )
        print(f"Keras edges alone: the server's accuracy spreads by {spread:.2f} points over seeds")


def _differences(comparisons: Sequence[Comparison], fleet: str) -> list[str]:
    pairs = [(comparison.runs[fleet], comparison.runs[KERAS]) for comparison in comparisons]
    measured: list[Callable[[RunResults], list[float]]]
    measured = [server, *(partial(own, stage=stage) for stage in STAGES)]
    decisions = [
        _rung(one) == _rung(other)
        for ours, theirs in pairs
        for rounds in zip(ours.rounds, theirs.rounds, strict=True)
        for one, other in zip(*(result.edges for result in rounds), strict=True)
    ]
    weights = max(max(first_updates_differ(comparison, fleet)) for comparison in comparisons)
    return [
        *(f"{max(_furthest(values(a), values(b)) for a, b in pairs):.2f}" for values in measured),
        f"{sum(decisions)} of {len(decisions)}",
        f"{weights:.1e}",
    ]


def _furthest(ours: list[float], theirs: list[float]) -> float:
    return max(abs(one - other) for one, other in zip(ours, theirs, strict=True))


def first_updates(comparison: Comparison, fleet: str) -> list[Path]:
    """What the edges of a fleet sent in the first round, in edge-id order."""
    folder = comparison.folder / fleet / "server/rounds/0001/updates"
    edges = comparison.runs[fleet].rounds[0].edges
    return [folder / f"{edge.edge}.safetensors" for edge in edges]


def first_updates_differ(comparison: Comparison, fleet: str) -> list[float]:
    """For each edge, the largest difference of a weight between its first update and Keras'."""
    differences = []
    pairs = zip(first_updates(comparison, fleet), first_updates(comparison, KERAS), strict=True)
    for ours, theirs in ((Update(one), Update(other)) for one, other in pairs):
        # A device leaves frozen weights out.
        differences.append(max(float(np.abs(ours[key] - theirs[key]).max()) for key in ours.keys))
    return differences


def _rung(edge: EdgeResult) -> str | None:
    return edge.accepted.rung if edge.accepted else None


def _mean_of_last(run: RunResults, stage: str) -> float:
    """Over the edges of the last round."""
    return statistics.mean(own(run, stage)[-len(run.rounds[-1].edges) :])


def _own(scores: Scores | Accepted | None) -> float:
    return _percent(None if scores is None else scores.own)


def _percent(score: Score | None) -> float:
    return math.nan if score is None else 100 * score.accuracy


def _spread(values: Sequence[float]) -> str:
    deviation = f" ±{statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{deviation}"


def _table(*columns: str) -> Table:
    table = Table(box=box.MARKDOWN)
    for column in columns:
        table.add_column(column)
    return table


def _show(title: str, table: Table) -> None:
    Console(width=200).print(title, table)
