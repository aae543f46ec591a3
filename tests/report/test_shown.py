"""Of many edges a report shows some: the first, the worst and the best."""

from dataclasses import replace
from pathlib import Path

from report_for_tests import Page, printed

from ecavg_tf.report.page import write_page
from ecavg_tf.report.shown import left_out, shown
from ecavg_tf.report.tables import tables
from ecavg_tf.results import EdgeResult, RunResults


def of_many(results: RunResults, number: int) -> RunResults:
    """The same run with many edges, of which number 700 loses most and 800 gains most."""
    rounds = []
    for result in results.rounds:
        edges = [named(result.edges[at % 2], at) for at in range(number)]
        rounds.append(replace(result, edges=tuple(edges)))
    return replace(results, rounds=tuple(rounds))


def named(edge: EdgeResult, number: int) -> EdgeResult:
    assert edge.accepted and edge.accepted.own and edge.local and edge.local.own
    change = {700: -0.3, 800: 0.2}.get(number, 0.001 * (number % 7 - 3))
    own = replace(edge.accepted.own, accuracy=0.7 + change)
    local = replace(edge.local, own=replace(edge.local.own, accuracy=0.7))
    accepted = replace(edge.accepted, own=own)
    return replace(edge, edge=f"edge-{number:04d}", local=local, accepted=accepted)


def test_a_few_edges_are_all_shown(results: RunResults) -> None:
    edges = of_many(results, 60).rounds[-1].edges
    assert list(shown(edges)) == list(edges) and left_out(edges) == ""


def test_of_many_the_first_the_worst_and_the_best_are_shown(results: RunResults) -> None:
    names = [edge.edge for edge in shown(of_many(results, 1000).rounds[-1].edges)]
    assert names[:50] == [f"edge-{number:04d}" for number in range(50)]
    assert {"edge-0700", "edge-0800"} <= set(names) and 50 < len(names) <= 60


def test_the_page_of_a_thousand_edges_is_small_and_counts_all(
    results: RunResults, tmp_path: Path
) -> None:
    many = of_many(results, 1000)
    write_page(many, tmp_path)
    content = (tmp_path / "report.html").read_bytes()
    assert len(content) < 2_500_000
    page = Page(content.decode())
    said = " ".join(page.text)
    assert "first 50 of 1,000 edges" in said and "of 1000 edges gained" in said
    assert "edge-0700" in page.cells and "edge-0701" not in page.cells
    assert (tmp_path / "plots" / "gains.png").exists()
    assert "edge-0800" in printed(tables(many)) and "edge-0801" not in printed(tables(many))
