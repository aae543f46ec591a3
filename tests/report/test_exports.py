"""Exported files in the report and on the terminal."""

import io
import re
from dataclasses import replace

import pytest
from report_for_tests import exported, printed
from rich.console import Console

from ecavg_tf.cli import output
from ecavg_tf.core.exports import Claim, ProvedAs, Verdict
from ecavg_tf.report.exports import FULL, exports_table, notes
from ecavg_tf.report.page import html
from ecavg_tf.report.tables import tables
from ecavg_tf.results import RunResults


def test_notes_on_files_belong_to_their_model() -> None:
    assert notes([exported("a", 71.9), exported("a", 71.9), exported("b", 80)]) == [
        "a: compared on examples of a; for comparison, Keras predict 71.9 ms",
        "b: compared on examples of b; for comparison, Keras predict 80.0 ms",
    ]


def test_what_was_proved_and_on_which_examples_is_told() -> None:
    row = exported("a", 71.9)
    assert row.parity is not None
    words = f"{row.parity.inputs} and 30 seen"
    claim = Claim("labels that differ", words, 39, 0.0, 0.07, 0.05, 0.07, Verdict.PASSED)
    tuned = replace(row, proved_as=ProvedAs.TUNED, parity=replace(row.parity, claims=(claim,)))
    (said,) = notes([tuned])
    assert "compared on examples of a and 30 seen" in said
    assert said.endswith("int8 proved as another model, tuned for int8")
    open_ = replace(tuned, status="undecided", reasons=("9 examples, 42 needed",))
    first, why = notes([open_])
    assert "proved as" not in first
    assert why == "a, int8 undecided: 9 examples, 42 needed"
    more = replace(open_, variant="dynamic"), replace(open_, model="b"), replace(open_, model="c")
    assert notes([open_, *more])[-2:] == [
        "a, int8, dynamic undecided: 9 examples, 42 needed",
        "not proved either (the report says why): files of b, c",
    ]
    table = exports_table([open_])
    (verdict,) = table.columns[2].cells
    assert (str(verdict), verdict.style) == ("undecided", "yellow")


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
    assert "each test example counted once" in told and "scored without that mix" in told
    assert "all: the whole test set" not in told  # the terminal has no such column
