"""What a run cost: seconds and bytes of every edge, in files and on the page."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from report_for_tests import Page

from ecavg_tf.core.findings import EdgeCost
from ecavg_tf.report import costs
from ecavg_tf.report.page import html
from ecavg_tf.results import RunResults


def test_every_edge_is_counted_in_every_round(run: Path, results: RunResults) -> None:
    rows = list(csv.DictReader((run / "costs.csv").read_text().splitlines()))
    assert len(rows) == 4
    for result in results.rounds:
        assert [cost.edge for cost in result.costs] == list(result.participants)
        for cost in result.costs:
            assert set(cost.seconds) == {"pretrain", "update", "evaluate"}
            own = [r for r in rows if (r["round"], r["edge"]) == (str(result.round), cost.edge)]
            assert [int(row["bytes_up"]) for row in own] == [cost.bytes_up]
        spent = sum(cost.seconds["pretrain"] for cost in result.costs)
        assert spent == pytest.approx(result.seconds["pretrain"])


def test_bytes_are_those_of_the_files(run: Path, results: RunResults) -> None:
    first, last = results.rounds
    (model,) = {cost.bytes_down for cost in first.costs}
    update = (run / "edges" / "edge-00" / "update-0002.safetensors").stat().st_size
    pooled = (run / "edges" / "edge-00" / "pooled.safetensors").stat().st_size
    assert first.costs[0].bytes_up == pytest.approx(update + pooled, abs=1500)
    assert last.costs[0].bytes_down == pytest.approx(2 * model, abs=200)  # it ends with another
    assert last.costs[0].bytes_up > update


def test_the_page_tells_them_by_round_and_by_edge(results: RunResults) -> None:
    page = Page(html(results, []))
    for line in (*costs.rounds(results), *costs.edges(results)):
        assert {costs.size(line.down), costs.size(line.up)} <= set(page.cells)
    total = costs.together(costs.rounds(results))
    assert any(f"{costs.size(total.down)} went to the edges" in text for text in page.text)
    edges = costs.together(costs.edges(results))
    assert (edges.down, edges.up) == (total.down, total.up)


def test_an_edge_that_was_refused_cost_something_too(results: RunResults) -> None:
    last = results.rounds[-1]
    gone = EdgeCost("gone", {}, 700, 20)
    rounds = (*results.rounds[:-1], replace(last, costs=(*last.costs, gone)))
    lines = costs.edges(replace(results, rounds=rounds))
    assert [line.name for line in lines] == ["edge-00", "edge-01", "gone"]
    assert lines[-1].down == 700


def test_a_run_of_an_older_version_has_none(results: RunResults) -> None:
    older = replace(results, rounds=tuple(replace(each, costs=()) for each in results.rounds))
    assert costs.rounds(older) == ()
    assert "What it cost" not in html(older, [])


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (999, "999 B"), (41488, "41.5 kB"), (9_400_000, "9.40 MB"), (123e9, "123 GB")],
)
def test_bytes_have_a_unit_that_suits(count: int, said: str) -> None:
    assert costs.size(int(count)) == said
