"""The report: tables, and a page whose numbers are those of results.json."""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_for_tests import Page, printed
from rich.console import Console

import ecavg_tf
from ecavg_tf.cli import main
from ecavg_tf.config import Config
from ecavg_tf.report import plots, words
from ecavg_tf.report.compare import comparison
from ecavg_tf.report.figure import LIGHT, inline
from ecavg_tf.report.page import html, write_page
from ecavg_tf.report.tables import tables
from ecavg_tf.results import RunResults, load_results
from ecavg_tf.rounds.local_fleet import LocalFleet


def test_the_page_says_what_results_json_says(run: Path, results: RunResults) -> None:
    page = Page((run / "report.html").read_text())
    for result in results.rounds:
        for edge in result.edges:
            for scores in (edge.local, edge.global_, edge.accepted):
                assert scores and scores.own
                assert f"{100 * scores.own.accuracy:.1f}" in page.cells
            assert edge.accepted
            assert any(words.brief(edge.accepted) in text for text in page.text)
            assert any(words.decision(edge.accepted) in text for text in page.text)
            for rung in edge.rungs:
                assert rung.select is not None
                assert f"{rung.select:.4f}" in page.cells
        score = result.server.global_.all
        assert score
        assert any(f"global {100 * score.accuracy:.1f} %" in text for text in page.text)


def test_the_page_says_whence_the_edges_have_their_data(results: RunResults) -> None:
    count, kind = (results.config["partition"][each] for each in ("num_edges", "kind"))
    assert f"{count} edges, partition “{kind}”, seed" in html(results, [])
    last = results.rounds[-1]
    named = replace(last, edges=tuple(replace(e, edge=f"ward {e.edge}") for e in last.edges[:2]))
    assert "2 edges with data of their own, seed" in html(replace(results, rounds=(named,)), [])


def test_a_narrow_terminal_shows_whole_numbers(results: RunResults) -> None:
    console = Console(width=60, file=io.StringIO())
    with console.capture() as captured:
        console.print(tables(results))
    told = captured.get()
    for edge in results.rounds[-1].edges:
        assert edge.accepted
        assert edge.accepted.own
        assert f"{100 * edge.accepted.own.accuracy:.1f} " in told
    assert all(len(line) <= 60 for line in told.splitlines())


NAMESPACES = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_pictures_take_their_colours_from_the_page(run: Path, results: RunResults) -> None:
    page = (run / "report.html").read_text()
    used = set(re.findall(r"var\((--plot-\w+)\)", page))
    assert used >= {"--plot-ink", "--plot-paper", "--plot-faint", "--plot-server"}
    drawn = inline(plots.stages(results, LIGHT), "here")
    assert not {LIGHT.ink, LIGHT.paper, LIGHT.faint, LIGHT.server} & set(
        re.findall(r"#[0-9a-f]{6}", drawn)
    )
    told = page[: page.index("</style>")]
    assert all(told.count(f"{name}:") >= 1 for name in used)


def test_the_page_needs_nothing_else(run: Path) -> None:
    text = (run / "report.html").read_text()
    page = Page(text)
    assert page.tags.count("svg") == 10  # five pictures, wide and narrow
    images = [link for link in page.links if not link.startswith("#")]
    assert all(link.startswith("data:image/png;base64,") for link in images)
    assert "script" not in page.tags
    assert set(re.findall(r"https?://[^\"' ]+", text)) <= NAMESPACES
    ids = re.findall(r"\bid=\"([^\"]+)\"", text)
    assert len(ids) == len(set(ids))  # no picture takes its parts from another one
    assert {link for link in page.links if link.startswith("#")} <= {f"#{name}" for name in ids}
    pngs = sorted((run / "plots").iterdir())
    assert [p.stem for p in pngs] == ["by-round", "data", "learning", "own-accuracy", "stages"]
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in pngs)


def without_test(results: RunResults) -> RunResults:
    """The same run of a server without a test set."""

    def own(scores: Any) -> Any:
        return replace(scores, all=None)

    rounds = []
    for result in results.rounds:
        averaged, recalibrated = map(own, (result.server.averaged, result.server.recalibrated))
        server = replace(result.server, averaged=averaged, recalibrated=recalibrated)
        edges = tuple(
            replace(
                each,
                **{name: own(getattr(each, name)) for name in ("start", "local", "global_")},
                accepted=own(each.accepted),
                rungs=tuple(map(own, each.rungs)),
            )
            for each in result.edges
        )
        rounds.append(replace(result, server=server, edges=edges))
    return replace(results, rounds=tuple(rounds))


def test_a_server_without_a_test_set_shows_what_the_edges_report(
    results: RunResults, tmp_path: Path
) -> None:
    made = without_test(results)
    write_page(made, tmp_path)
    page = Page((tmp_path / "report.html").read_text())
    said = " ".join(page.text)
    assert "own: the edge's own test set · gain:" in said
    assert "the mean over the edges' own test examples, because the server has no test set" in said
    assert "all classes" not in said
    assert "averaged –" not in said
    assert not {"all, %", "all"} & set(page.cells)
    told = printed(tables(made))
    assert "mean over the edges' own 100 test examples, as they report it" in told
    assert "averaged" not in told
    figure = plots.stages(made, LIGHT)
    axes = figure.axes[0]
    assert axes.get_ylabel() == "accuracy on own test sets, %"
    assert [each.get_text() for each in axes.get_xticklabels()] == ["r1 global", "r2 global"]
    assert axes.lines[0].get_ydata().tolist() == [
        100 * result.server.global_.all.accuracy for result in made.rounds
    ]


def test_what_came_over_a_wire_is_escaped(results: RunResults) -> None:
    edge = replace(results.rounds[0].edges[0], edge="<script>alert(1)</script>")
    hostile = replace(results, rounds=(replace(results.rounds[0], edges=(edge,)),))
    page = Page(html(hostile, []))
    assert "script" not in page.tags
    assert "<script>alert(1)</script>" in page.cells


@pytest.mark.parametrize(
    "evidence", [{}, {"absent": "x"}, {"absent": 5}, {"policy": "guarded", "since_previous": 3}]
)
@pytest.mark.parametrize("certify", [None, {"gain": 1.0}, {"gain": "x", "bound": 0}])
def test_evidence_that_says_nothing_does_no_harm(
    results: RunResults, evidence: dict[str, Any], certify: dict[str, Any] | None
) -> None:
    edge = results.rounds[0].edges[0]
    assert edge.accepted
    odd = replace(
        edge,
        accepted=replace(edge.accepted, evidence=evidence),
        rungs=(replace(edge.rungs[0], certify=certify),),
    )
    undecided = replace(edge, edge="edge-07", accepted=None)
    shown = replace(results, rounds=(replace(results.rounds[0], edges=(odd, undecided)),))
    assert "edge-07" in Page(html(shown, [])).cells


@pytest.mark.parametrize("policy", ["replace", "models_for_tests:keep_local"])
def test_a_run_of_another_policy_has_a_page(tmp_path: Path, policy: str) -> None:
    config = Config()
    config.data.train_examples, config.data.test_examples = 100, 50
    config.edge.epochs = config.server.epochs = 1
    config.update.policy = policy
    results = ecavg_tf.run(config, tmp_path / "run")
    page = Page((tmp_path / "run" / "report.html").read_text())
    accepted = results.rounds[0].edges[0].accepted
    assert accepted
    assert any(words.decision(accepted) in text for text in page.text)


def test_an_interruption_is_told_whatever_is_wrong_with_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    def broken(*_: object) -> None:
        raise RuntimeError("no page")

    monkeypatch.setattr(LocalFleet, "finish", interrupted)
    config = Config()
    config.data.train_examples, config.data.test_examples = 100, 50
    config.edge.epochs = config.server.epochs = 1
    with pytest.raises(KeyboardInterrupt):
        ecavg_tf.run(config, tmp_path / "run")
    assert (tmp_path / "run" / "report.html").is_file()
    monkeypatch.setattr("ecavg_tf.report.page.write_page", broken)
    with pytest.raises(KeyboardInterrupt):
        ecavg_tf.run(config, tmp_path / "run")
    assert load_results(tmp_path / "run").status == "interrupted"


def test_a_run_without_a_round(results: RunResults) -> None:
    empty = replace(results, rounds=(), status="interrupted")
    assert plots.pictures(empty) == {}
    assert "No round is finished yet" in html(empty, [])


def test_the_terminal_tells_every_decision(results: RunResults) -> None:
    told = re.sub(r"\s+", " ", printed(tables(results)))
    for edge in results.rounds[-1].edges:
        assert edge.accepted
        assert f"{edge.edge} {words.brief(edge.accepted)}" in told


def test_two_runs_side_by_side(results: RunResults) -> None:
    other = replace(results, config={**results.config, "seed": 7}, rounds=results.rounds[:1])
    told = printed(comparison([("one", results), ("other", other)]))
    assert re.search(r"seed +0 +7", told)
    assert re.search(r"rounds +2 +1", told)
    shown = [r.server.global_.all for r in (results.rounds[-1], other.rounds[-1])]
    figures = [f"{100 * score.accuracy:.1f}" for score in shown if score]
    assert re.search(rf"global, all +{figures[0]} +{figures[1]}", told)


def test_the_command(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "report.html").unlink()
    assert main(["report", str(run)]) == 0
    assert (run / "report.html").is_file()
    assert main(["report", str(run), str(run)]) == 0
    assert "What differs" in capsys.readouterr().out


@pytest.mark.parametrize("make", [lambda r: r / "results.json", lambda r: r])
def test_a_file_or_a_folder(run: Path, make: Callable[[Path], Path]) -> None:
    assert main(["report", str(make(run))]) == 0
