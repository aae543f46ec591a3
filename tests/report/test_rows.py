"""results.csv, exports.csv and what a notebook shows."""

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from ecavg_tf.report.gains import gain
from ecavg_tf.report.tables import tables
from ecavg_tf.results import RunResults
from ecavg_tf.results_csv import SCORES, as_csv, score_rows

KEY = ("round", "who", "model", "alpha", "distribution")


def test_no_two_rows_have_the_same_key(run: Path, results: RunResults) -> None:
    rows = list(csv.DictReader((run / "results.csv").read_text().splitlines()))
    assert list(rows[0]) == list(SCORES)
    assert len(rows) == len(results.rows()) > 20
    assert max(Counter(tuple(row[key] for key in KEY) for row in rows).values()) == 1


def test_rows_say_what_each_edge_takes_and_gains(results: RunResults) -> None:
    for result in results.rounds:
        for edge in result.edges:
            assert edge.accepted and edge.accepted.own
            (row,) = [
                row
                for row in results.rows()
                if row["round"] == result.round
                and (row["who"], row["model"]) == (edge.edge, "accepted")
                and row["distribution"] == "own"
            ]
            assert row["takes"] == edge.accepted.rung
            assert row["gain"] == gain(edge)
            assert row["accuracy"] == edge.accepted.own.accuracy
            assert row["examples"] == edge.examples


def test_an_unknown_value_is_an_empty_cell(results: RunResults) -> None:
    first = as_csv(SCORES, score_rows(results)).splitlines()[1]
    assert first.startswith("1,server,averaged,,all,")


def test_a_notebook_shows_a_line_and_a_table(results: RunResults) -> None:
    assert len(repr(results)) < 200 and "2 rounds, 2 edges" in repr(results)
    edges = results.rounds[-1].edges
    hostile = replace(edges[0], edge="<script>")
    last = replace(results.rounds[-1], edges=(hostile, *edges[1:]) * 30)
    page = replace(results, rounds=(last,))._repr_html_()
    assert "&lt;script&gt;" in page and "<script>" not in page
    assert page.count("<tr>") == 51 and "and 10 more edges" in page
    assert "<table>" not in replace(results, rounds=())._repr_html_()


def test_a_net_without_batchnorm_has_no_row_of_recalibration(results: RunResults) -> None:
    def shown(which: RunResults) -> str:
        console = Console(width=120)
        with console.capture() as capture:
            console.print(tables(which))
        return capture.get()

    assert not results.recalibrates and "\n recalibrated " not in shown(results)
    server = results.rounds[0].server
    other = replace(server, recalibrated=replace(server.recalibrated, all=server.global_.all))
    changed = replace(results, rounds=(replace(results.rounds[0], server=other),))
    assert changed.recalibrates and "\n recalibrated " in shown(changed)
