"""The report: gains, tables, pictures, and a page whose numbers are those of results.json."""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import ecavg_tf
from ecavg_tf.cli import main, output
from ecavg_tf.config import Config
from ecavg_tf.core.exports import Cost, Exported, Latency, Parity, Proportion
from ecavg_tf.core.scores import Accepted, Score, Scores
from ecavg_tf.report import plots, words
from ecavg_tf.report.compare import comparison
from ecavg_tf.report.exports import FULL, notes
from ecavg_tf.report.figure import DARK, LIGHT, render
from ecavg_tf.report.gains import Verdict, verdict
from ecavg_tf.report.page import html
from ecavg_tf.report.tables import tables
from ecavg_tf.results import EdgeResult, RoundResult, RunResults, load_results
from ecavg_tf.rounds.local_fleet import LocalFleet


def edge(name: str, local: float | None, accepted: float | None) -> EdgeResult:
    """An edge with these own accuracies; None: no test images of its own."""
    scores = [None if own is None else Score(own, 1.0, 10) for own in (local, accepted)]
    taken = Accepted("local", None, scores[1], None, "ab")
    trained = Scores(scores[0], None)
    return EdgeResult(name, 9, (9,), trained, trained, trained, accepted=taken)


def rounds(results: RunResults, *edges: list[EdgeResult]) -> tuple[RoundResult, ...]:
    return tuple(
        replace(results.rounds[0], round=number, edges=tuple(each))
        for number, each in enumerate(edges, start=1)
    )


FIRST = [edge("a", 0.766, 0.766), edge("b", 0.655, 0.655), edge("c", 0.693, 0.693)]
LEVEL = [edge("a", 0.946, 0.946), edge("b", 0.922, 0.922), edge("c", 0.89, 0.89)]
SINCE = (
    "In 2 rounds, 3 of 3 edges gained own accuracy over the model they first trained alone "
    "(+18.0 to +26.7 points). In round 2, "
)


@pytest.mark.parametrize(
    ("edges", "text", "tone"),
    [
        (
            [FIRST],
            "0 of 3 edges gained own accuracy over their local model; 3 stayed level.",
            "even",
        ),
        (
            [FIRST, LEVEL],
            f"{SINCE}0 of 3 gained over the local model of that round; 3 stayed level.",
            "won",
        ),
        (
            [FIRST, [*LEVEL[:2], edge("c", 0.903, 0.89)]],
            f"{SINCE}0 of 3 gained over the local model of that round; 2 stayed level; 1 lost "
            "(c -1.3 points).",
            "lost",
        ),
        (
            [[edge("a", 0.9, 0.92), edge("b", 0.9, 0.8996), edge("c", None, None)]],
            "1 of 3 edges gained own accuracy over their local model (+2.0 points); 1 lost "
            "(b -0.04 points); 1 not measured (no test images of its own).",
            "lost",
        ),
        (
            [[edge("c", None, None)]] * 2,
            "0 of 1 edges gained own accuracy over their local model; 1 not measured (no test "
            "images of its own).",
            "even",
        ),
        (
            [FIRST[:1], LEVEL[:2]],
            "In 2 rounds, 1 of 2 edges gained own accuracy over the model they first trained "
            "alone (+18.0 points); 1 not measured (not there in round 1). In round 2, 0 of 2 "
            "gained over the local model of that round; 2 stayed level.",
            "won",
        ),
        (
            [[replace(edge("a", 0.5, 0.5), accepted=None)]],
            "No edge has decided on the global model yet.",
            "even",
        ),
    ],
)
def test_who_gained_since_round_1_and_in_this_one(
    results: RunResults, edges: list[list[EdgeResult]], text: str, tone: str
) -> None:
    run = replace(results, rounds=rounds(results, *edges))
    assert verdict(run.rounds) == Verdict(text, tone)
    assert text in printed(tables(run), 400)
    assert f'<p class="verdict {tone}">{text}</p>' in html(run, [])


def test_runs_side_by_side_since_round_1(results: RunResults) -> None:
    short, long = (
        replace(results, rounds=rounds(results, *each)) for each in ([FIRST], [FIRST, LEVEL])
    )
    told = printed(comparison([("short", short), ("long", long)]))
    assert re.search(r"gained over local +0 of 3 +0 of 3", told)
    assert re.search(r"gained since round 1 +0 of 3 +3 of 3", told)
    assert re.search(r"b +65.5 → 65.5 \(\+0.0\) +65.5 → 92.2 \(\+26.7\)", told)
    assert "round 1" not in printed(comparison([("short", short), ("again", short)]))


def exported(model: str, keras_ms: float) -> Exported:
    share = Proportion(0.9, 0.8, 1.0)
    parity = Parity(
        f"images of {model}", 9, 0.1, 0.1, 1, 1, 0, 0.1, "nats", share, share, 0, -0.1, 0.1
    )
    spent = tuple(
        Latency(what, ms, ms, 9)
        for what, ms in (
            ("file, 1 thread", 0.002),
            ("file, 2 threads", 0.001),
            ("Keras predict", keras_ms),
        )
    )
    cost = Cost(1, 1, 1, "1.5.0", (), spent)
    return Exported(model, 1, "ab", "int8", "passed", size_bytes=9, parity=parity, cost=cost)


def test_notes_on_files_belong_to_their_model() -> None:
    assert notes([exported("a", 71.9), exported("a", 71.9), exported("b", 80)]) == [
        "a: compared on images of a; for comparison, Keras predict 71.9 ms",
        "b: compared on images of b; for comparison, Keras predict 80.0 ms",
    ]


@pytest.mark.parametrize(
    ("width", "lacks"),
    [
        (60, ("change, 95 %", "ties", "max diff", "time", "runs on")),
        (80, ("change, 95 %", "ties", "max diff", "runs on")),
        (140, ()),
    ],
)
def test_figures_of_exports_are_never_cut(
    monkeypatch: pytest.MonkeyPatch, width: int, lacks: tuple[str, ...]
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(output, "_console", lambda: Console(file=stream, width=width))
    row = exported("edge-00", 71.9)
    parity = row.parity
    assert parity is not None
    change = replace(parity, accuracy_change_low=-0.038, accuracy_change_high=0.038)
    output.print_exports([replace(row, parity=change, size_bytes=2_722_632)])
    text = stream.getvalue()
    head = text.splitlines()[1]
    for name in ("model", "file", "gate", "size kB", "file %", "agree %"):
        assert name in head
    assert [name for name in FULL if name not in head] == list(lacks)
    assert "…" not in text.replace("-3.8…+3.8", "")
    assert ("a wider terminal also shows" in text) == bool(lacks)


def test_files_tell_their_gate_early_and_how_they_were_scored(results: RunResults) -> None:
    run = replace(results, exports=(exported("a", 71.9),))
    page = html(run, [])
    assert "counted once (an edge&#39;s own accuracy weights them to its label mix" in page
    cells = re.findall(r'<td data-label="([^"]+)"[^>]*>([^<]*)</td>', page)
    at = cells.index(("model", "a"))
    assert cells[at : at + 4] == [
        ("model", "a"), ("file", "int8"), ("gate", "passed"), ("size kB", "0.0"),
    ]  # fmt: skip
    assert ("time", "2.00 µs") in cells
    told = re.sub(r"\s+", " ", printed(tables(run)))
    assert "each test image counted once" in told and "scored without that mix" in told
    assert "all: the whole test set" not in told  # the terminal has no such column


class Page(HTMLParser):
    """The text of a page, and what it refers to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.cells: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        self.cells.append(data.strip())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two rounds."""
    config = Config(rounds=2)
    config.data.train_examples = 400
    config.data.test_examples = 100
    config.edge.epochs = config.server.epochs = 2
    workdir = tmp_path_factory.mktemp("report") / "run"
    ecavg_tf.run(config, workdir)
    return workdir


@pytest.fixture(scope="module")
def results(run: Path) -> RunResults:
    return load_results(run)


def test_the_page_says_what_results_json_says(run: Path, results: RunResults) -> None:
    page = Page((run / "report.html").read_text())
    for result in results.rounds:
        for edge in result.edges:
            for scores in (edge.local, edge.global_, edge.accepted):
                assert scores and scores.own
                assert f"{100 * scores.own.accuracy:.1f}" in page.cells
            assert edge.accepted
            assert any(words.decision(edge.accepted) in text for text in page.text)
            for rung in edge.rungs:
                assert rung.select is not None
                assert f"{rung.select:.4f}" in page.cells
        score = result.server.global_.all
        assert score
        assert any(f"global {100 * score.accuracy:.1f} %" in text for text in page.text)


def test_the_page_needs_nothing_else(run: Path) -> None:
    page = Page((run / "report.html").read_text())
    assert len(page.links) == 8  # four pictures, light and dark
    assert all(link.startswith("data:image/svg+xml;base64,") for link in page.links)
    assert "script" not in page.tags
    pngs = sorted((run / "plots").iterdir())
    assert [p.stem for p in pngs] == ["by-round", "data", "own-accuracy", "stages"]
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in pngs)


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


@pytest.mark.parametrize(
    "names", [["$5 and $x_", "$\\bad$"], ["猫", "犬"], ["a very long name of a class " * 3] * 2]
)
def test_pictures_of_odd_names(results: RunResults, names: list[str]) -> None:
    edges = [replace(edge, edge=f"$_{edge.edge}") for edge in results.rounds[0].edges]
    rounds = tuple(replace(r, edges=tuple(edges)) for r in results.rounds)
    odd = replace(results, classes=tuple(names * 5), rounds=rounds)
    for draw in plots.pictures(odd).values():
        assert render(draw(odd, LIGHT), "png")


def test_pictures_of_a_round_without_edges(results: RunResults) -> None:
    nobody = replace(results, rounds=(replace(results.rounds[0], edges=()),))
    assert list(plots.pictures(nobody)) == ["stages"]
    for draw in plots.pictures(nobody).values():
        assert render(draw(nobody, LIGHT), "png")


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
    monkeypatch.setattr("ecavg_tf.rounds.loop.write_page", broken)
    with pytest.raises(KeyboardInterrupt):
        ecavg_tf.run(config, tmp_path / "run")
    assert load_results(tmp_path / "run").status == "interrupted"


def test_pictures_are_the_same_each_time(results: RunResults) -> None:
    for draw in plots.pictures(results).values():
        for kind in ("svg", "png"):
            first, second = (render(draw(results, DARK), kind) for _ in range(2))
            assert first == second


@pytest.mark.parametrize("edges", [1, 13, 45])
def test_pictures_of_few_and_of_many_edges(results: RunResults, edges: int) -> None:
    template = results.rounds[0].edges[0]
    many = tuple(replace(template, edge=f"edge-{n:02d}") for n in range(edges))
    wide = replace(results, rounds=tuple(replace(r, edges=many) for r in results.rounds))
    for draw in plots.pictures(wide).values():
        assert render(draw(wide, LIGHT), "png")


def test_a_run_without_a_round(results: RunResults) -> None:
    empty = replace(results, rounds=(), status="interrupted")
    assert plots.pictures(empty) == {}
    assert "No round is finished yet" in html(empty, [])


def printed(what: Any, width: int = 160) -> str:
    console = Console(record=True, width=width)
    console.print(what)
    return console.export_text()


def test_the_terminal_tells_every_decision(results: RunResults) -> None:
    told = re.sub(r"\s+", " ", printed(tables(results)))
    for edge in results.rounds[-1].edges:
        assert edge.accepted
        assert f"{edge.edge} {words.decision(edge.accepted)}" in told


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
