"""results.csv, costs.csv and exports.csv: a run's figures as tidy tables, a line each."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ecavg_tf.core.exports import Exported
from ecavg_tf.core.scores import Score, Scores
from ecavg_tf.results import EdgeResult, RoundResult, RunResults

SCORES = (
    *("round", "who", "model", "alpha", "distribution", "accuracy", "loss", "n"),
    *("examples", "takes", "gain"),
)
EXPORTS = (
    *("model", "variant", "status", "proved_as", "file", "size_bytes", "n"),
    *("keras_accuracy", "file_accuracy", "agreement", "max_difference", "mean_difference"),
    "median_ms",
)
COSTS = ("round", "edge", "pretrain_s", "update_s", "evaluate_s", "bytes_down", "bytes_up")


def cost_rows(results: RunResults) -> list[dict[str, Any]]:
    """One dictionary for every round of every edge that was asked, with the keys ``COSTS``."""
    return [
        {
            "round": result.round,
            "edge": cost.edge,
            **{f"{name}_s": cost.seconds.get(name) for name in ("pretrain", "update", "evaluate")},
            "bytes_down": cost.bytes_down,
            "bytes_up": cost.bytes_up,
        }
        for result in results.rounds
        for cost in result.costs
    ]


def score_rows(results: RunResults) -> list[dict[str, Any]]:
    """One dictionary for every score, with the keys ``SCORES``.

    No two have the same round, who, model, alpha and distribution. What is not known is None.
    """
    rows = [row for result in results.rounds for row in _of_round(result)]
    if results.rounds:
        rows += _of_baselines(results, results.rounds[-1])
    return rows


def export_rows(results: RunResults) -> list[dict[str, Any]]:
    """One dictionary for every file, with the keys ``EXPORTS``; what is not known is None."""
    return [_of_file(exported) for exported in results.exports]


def as_csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as CSV text; None is an empty cell."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _of_round(result: RoundResult) -> Iterator[dict[str, Any]]:
    server = result.server
    for model, scored in (
        ("averaged", server.averaged.all),
        ("recalibrated", server.recalibrated.all),
        ("global", server.global_.all),
    ):
        yield from _rows(result.round, "server", model, {"all": scored}, result.samples.server)
    for edge in result.edges:
        for model, alpha, scores in _models(edge):
            by_name = {"own": scores.own, "all": scores.all}
            for row in _rows(result.round, edge.edge, model, by_name, edge.examples):
                taken = model == "accepted" and edge.accepted is not None
                yield {
                    **row,
                    "alpha": alpha,
                    "takes": edge.accepted.rung if taken and edge.accepted else None,
                    "gain": _gain(edge) if taken and row["distribution"] == "own" else None,
                }


def _of_baselines(results: RunResults, last: RoundResult) -> Iterator[dict[str, Any]]:
    examples = {edge.edge: edge.examples for done in results.rounds for edge in done.edges}
    for alone in results.alone:
        scores = {"own": alone.own, "all": alone.all}
        yield from _rows(last.round, alone.edge, "alone", scores, examples[alone.edge])
    if results.pooled_only is not None:
        scores = {"all": results.pooled_only.all}
        yield from _rows(last.round, "server", "pooled_only", scores, last.samples.server)


def _models(edge: EdgeResult) -> Iterator[tuple[str, float | None, Scores]]:
    """The models that an edge was measured with; a rung that is one of the first is not again."""
    measured = {"start": edge.start, "local": edge.local, "global": edge.global_}
    known = {name: scores for name, scores in measured.items() if scores is not None}
    for name, scores in known.items():
        yield name, None, scores
    for rung in edge.rungs:
        if rung.rung not in known:
            yield rung.rung, rung.alpha, Scores(rung.own, rung.all)
    if edge.accepted is not None:
        yield "accepted", edge.accepted.alpha, Scores(edge.accepted.own, edge.accepted.all)


def _rows(
    number: int, who: str, model: str, scores: Mapping[str, Score | None], examples: int
) -> Iterator[dict[str, Any]]:
    for distribution, score in scores.items():
        if score is not None:
            yield dict.fromkeys(SCORES) | {
                "round": number,
                "who": who,
                "model": model,
                "distribution": distribution,
                "accuracy": score.accuracy,
                "loss": score.loss,
                "n": score.n,
                "examples": examples,
            }


def _gain(edge: EdgeResult) -> float | None:
    """Own accuracy of what is deployed over that of the round's local model."""
    if edge.local is None or edge.local.own is None:
        return None
    if edge.accepted is None or edge.accepted.own is None:
        return None
    return edge.accepted.own.accuracy - edge.local.own.accuracy


def _of_file(exported: Exported) -> dict[str, Any]:
    parity, cost = exported.parity, exported.cost
    row = dict.fromkeys(EXPORTS) | {
        "model": exported.model,
        "variant": exported.variant,
        "status": exported.status,
        "proved_as": exported.proved_as,
        "file": exported.file,
        "size_bytes": exported.size_bytes,
    }
    if parity is not None:
        row |= {name: getattr(parity, name) for name in ("n", "agreement")}
        row |= {name: getattr(parity, name) for name in ("max_difference", "mean_difference")}
        for name in ("keras_accuracy", "file_accuracy"):
            share = getattr(parity, name)
            row[name] = None if share is None else share.value
    if cost is not None and cost.latencies:
        row["median_ms"] = cost.latencies[0].median_ms
    return row
