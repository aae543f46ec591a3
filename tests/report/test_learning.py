"""Learning curves: what each fit came to, and how much of it a page shows."""

from dataclasses import replace
from pathlib import Path

from ecavg_tf.epochs import Epoch, read_epochs
from ecavg_tf.report.figure import LIGHT, NARROW, inline
from ecavg_tf.report.learning import fits, learning, tabled
from ecavg_tf.results import RunResults


def test_a_run_records_every_epoch_of_every_fit(run: Path, results: RunResults) -> None:
    found = {(fit.round, fit.who): fit for fit in fits(results, read_epochs(run))}
    names = [edge.edge for edge in results.rounds[0].edges]
    assert sorted(found) == sorted((n, who) for n in (1, 2) for who in (*names, "server"))
    for (number, who), fit in found.items():
        assert [each.epoch for each in fit.epochs] == [1, 2]
        result = results.rounds[number - 1]
        edge = next((each for each in result.edges if each.edge == who), None)
        expected = edge.local and edge.local.own if edge else result.server.global_.all
        assert fit.test == expected
        assert fit.last.loss is not None
        assert fit.last.accuracy is not None
        assert fit.seconds > 0


def test_the_picture_says_whose_line_is_which(run: Path, results: RunResults) -> None:
    for theme in (LIGHT, NARROW):
        drawn = inline(learning(results, theme, read_epochs(run)), "here")
        for word in ("edge-00", "edge-01", "server", "accuracy, %", "loss, nats"):
            assert f">{word}<" in drawn


def many(
    results: RunResults, edges: int, rounds: int, epochs: int
) -> tuple[RunResults, list[Epoch]]:
    last = results.rounds[-1]
    names = [f"edge-{at:04d}" for at in range(edges)]
    made = tuple(replace(last.edges[at % 2], edge=name) for at, name in enumerate(names))
    whole = tuple(replace(last, round=number, edges=made) for number in range(1, rounds + 1))
    told = [
        Epoch(number, who, "pretrain", epoch, epochs, 1 / epoch, 1 - 0.5 / epoch, 0.1)
        for number in range(1, rounds + 1)
        for who in names
        for epoch in range(1, epochs + 1)
    ]
    return replace(results, rounds=whole), told


def test_of_very_many_fits_a_page_shows_a_bounded_part(results: RunResults) -> None:
    shown, told = many(results, edges=300, rounds=10, epochs=40)
    known = fits(shown, told)
    assert len({fit.who for fit in known}) <= 60
    assert len(tabled(known)) <= 200
    assert {fit.round for fit in tabled(known)} == {10}
    assert len(inline(learning(shown, LIGHT, told), "here")) < 250_000
    few, told = many(results, edges=2, rounds=3, epochs=2)
    assert tabled(fits(few, told)) == fits(few, told)


def test_a_run_without_a_finished_round_has_curves(results: RunResults) -> None:
    begun, told = replace(results, rounds=()), many(results, 3, 1, 2)[1]
    assert [fit.who for fit in fits(begun, told)] == ["edge-0000", "edge-0001", "edge-0002"]
    assert "edge-0001" in inline(learning(begun, LIGHT, told), "here")
