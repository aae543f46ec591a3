"""Class by class on the page: the same figures as the scores, in a form that fits."""

from dataclasses import replace

import pytest
from report_for_tests import Page

from ecavg_tf.core.by_class import Compared, Hits, from_evidence, to_evidence
from ecavg_tf.core.findings import Alone
from ecavg_tf.report.by_class import by_class
from ecavg_tf.report.page import html
from ecavg_tf.results import RunResults


def test_classes_add_up_to_the_own_accuracies(results: RunResults) -> None:
    for result in results.rounds:
        for edge in result.edges:
            assert edge.accepted
            assert edge.local
            found = from_evidence(edge.accepted.evidence)
            assert found
            for hits, scores in ((found.before, edge.local), (found.after, edge.accepted)):
                mix = [edge.class_counts[label] / edge.examples for label in found.classes]
                shares = (right / n for right, n in zip(hits, found.n, strict=True))
                own = sum(share * each for share, each in zip(shares, mix, strict=True))
                assert scores.own
                assert own == pytest.approx(scores.own.accuracy, abs=1e-12)


def with_classes(results: RunResults, names: tuple[str, ...], found: Compared) -> RunResults:
    last = results.rounds[-1]
    edges = []
    for edge in last.edges:
        assert edge.accepted
        accepted = replace(edge.accepted, evidence=edge.accepted.evidence | to_evidence(found))
        edges.append(replace(edge, accepted=accepted))
    rounds = (*results.rounds[:-1], replace(last, edges=tuple(edges)))
    return replace(results, rounds=rounds, classes=names)


TEN = tuple("0123456789")
THREE = Compared((0, 1, 9), (10, 10, 10), (5, 9, 4), (9, 7, 4))


def test_few_classes_are_columns_with_a_colour(results: RunResults) -> None:
    shown = with_classes(results, TEN, THREE)
    found = by_class(shown)
    assert found
    assert found.names == ("0", "1", "9")
    assert [cell.tone for cell in found.rows[0].cells] == ["up3", "down3", "same"]
    page = Page(html(shown, []))
    assert {"90", "+40", "70", "-20", "40", "0"} <= set(page.cells)


def test_of_many_classes_each_edge_names_those_that_changed_most(results: RunResults) -> None:
    names = tuple(f"{at} {'a long name' * 4}" for at in range(10))
    shown = with_classes(results, names, THREE)
    found = by_class(shown)
    assert found
    assert found.names == ()
    page = Page(html(shown, []))
    assert f"{names[0]} 50 → 90 %" in page.cells
    assert f"{names[1]} 90 → 70 %" in page.cells


def test_training_alone_takes_the_place_of_the_local_model(results: RunResults) -> None:
    shown = with_classes(results, TEN, THREE)
    edge = shown.rounds[-1].edges[0].edge
    alone = Alone(edge, (1, 2), 4, 100, None, None, hits=Hits((0, 1, 9), (10,) * 3, (9, 7, 4)))
    found = by_class(replace(shown, alone=(alone,)))
    assert found
    assert found.before == "alone"
    assert [cell.change for cell in found.rows[0].cells] == [0, 0, 0]


def test_a_run_of_an_older_version_has_no_such_table(results: RunResults) -> None:
    older = with_classes(results, TEN, THREE)
    rounds = [
        replace(each, edges=tuple(replace(edge, accepted=None) for edge in each.edges))
        for each in older.rounds
    ]
    assert by_class(replace(older, rounds=tuple(rounds))) is None
    assert "Class by class" not in html(replace(older, rounds=tuple(rounds)), [])
