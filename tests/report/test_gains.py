"""Who gained, since round 1 and in one round, in every place that tells it."""

import re
from dataclasses import replace
from html import unescape

import pytest
from report_for_tests import printed

from ecavg_tf.core.findings import Alone
from ecavg_tf.core.scores import Accepted, Score, Scores
from ecavg_tf.report.compare import comparison
from ecavg_tf.report.gains import Verdict, verdict
from ecavg_tf.report.page import html
from ecavg_tf.report.tables import tables
from ecavg_tf.results import EdgeResult, RoundResult, RunResults


def edge(name: str, local: float | None, accepted: float | None) -> EdgeResult:
    """An edge with these own accuracies; None: no test examples of its own."""
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
    "(+18.0 to +26.7 points). More epochs are part of that: baseline.alone=true measures what "
    "they alone would give. "
)


def replaced(deployed: str, everywhere: str, worse: str = "make none worse") -> str:
    return (
        f"What they deploy is {deployed} points on average; the global model on all of them, the "
        f"paper's update, would be {everywhere} and {worse}."
    )


@pytest.mark.parametrize(
    ("edges", "text", "tone"),
    [
        (
            [FIRST],
            "0 of 3 edges gained own accuracy over what each trained alone; 3 stayed level. "
            + replaced("+0.0", "+0.0"),
            "even",
        ),
        ([FIRST, LEVEL], SINCE + replaced("+21.5", "+21.5"), "won"),
        ([FIRST, [*LEVEL[:2], edge("c", 0.903, 0.89)]], SINCE + replaced("+21.5", "+21.9"), "won"),
        (
            [[edge("a", 0.9, 0.92), edge("b", 0.9, 0.8996), edge("c", None, None)]],
            "1 of 3 edges gained own accuracy over what each trained alone (+2.0 points); 1 lost "
            "(b -0.04 points); 1 not measured (no own test examples). " + replaced("+1.0", "+0.0"),
            "lost",
        ),
        (
            [[edge("c", None, None)]] * 2,
            "In 2 rounds, no edge's gain was measured (no own test examples: 1 of 1).",
            "even",
        ),
        (
            [FIRST[:1], LEVEL[:2]],
            "In 2 rounds, 1 of 2 edges gained own accuracy over the model they first trained "
            "alone (+18.0 points); 1 not measured (not there in round 1). More epochs are part of "
            "that: baseline.alone=true measures what they alone would give. "
            + replaced("+18.0", "+18.0"),
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
    assert f'<p class="verdict {tone}">{text}</p>' in unescape(html(run, []))


def test_who_gained_over_training_alone(results: RunResults) -> None:
    """b's epochs alone give more than the two rounds did: it lost, whatever it had in round 1."""
    own = {"a": 0.9, "b": 0.93, "c": 0.89}
    alone = tuple(
        Alone(name, (1, 2), 20, 180, Score(each, 1.0, 10), None) for name, each in own.items()
    )
    run = replace(results, rounds=rounds(results, FIRST, LEVEL), alone=alone)
    text = (
        "In 2 rounds, 1 of 3 edges gained own accuracy over training alone for as many epochs "
        "(+4.6 points); 1 stayed level; 1 lost (b -0.8 points). "
        + replaced("+1.3", "+1.3", "make 1 worse (b -0.8 points)")
    )
    assert verdict(run.rounds, run.alone) == Verdict(text, "lost")
    told, page = printed(tables(run), 400), unescape(html(run, []))
    assert text in told
    assert f'<p class="verdict lost">{text}</p>' in page
    assert re.search(r"b +9 +0 +93\.0 +92\.2 +92\.2 +92\.2 +-0\.8 +local", told)
    assert "<b>91.9 %</b> mean own accuracy of what the edges deploy; 90.7 % alone" in page


def test_where_all_take_the_global_model_nothing_is_said_of_it_twice(results: RunResults) -> None:
    taken = [
        replace(each, accepted=replace(each.accepted, rung="global"))
        for each in FIRST
        if each.accepted
    ]
    assert "paper's update" not in verdict(rounds(results, taken)).text


def test_a_start_that_learned_from_others_is_not_alone(results: RunResults) -> None:
    first = replace(rounds(results, FIRST)[0], warmed_up=100)
    assert "gained own accuracy over their local model; 3" in verdict([first]).text


def test_runs_side_by_side_since_round_1(results: RunResults) -> None:
    short, long = (
        replace(results, rounds=rounds(results, *each)) for each in ([FIRST], [FIRST, LEVEL])
    )
    told = printed(comparison([("short", short), ("long", long)]))
    assert re.search(r"gained over local +0 of 3 +0 of 3", told)
    assert re.search(r"gained since round 1 +0 of 3 +3 of 3", told)
    assert re.search(r"b +65.5 → 65.5 \(\+0.0\) +65.5 → 92.2 \(\+26.7\)", told)
    assert "round 1" not in printed(comparison([("short", short), ("again", short)]))
