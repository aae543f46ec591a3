"""Texts that an edge sends, and names that a user gives, are shown as they are."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from messages_for_tests import asked, decided
from report_for_tests import exported, printed

from ecavg_tf.core.errors import UpdateRefused, one_line
from ecavg_tf.core.fields import FieldError, Fields
from ecavg_tf.core.messages.reply import NoReply, decode_reply, encode_reply
from ecavg_tf.core.messages.request import FINISH
from ecavg_tf.core.scores import Accepted, Decision, Rung, Score, Scores
from ecavg_tf.report.compare import comparison
from ecavg_tf.report.exports import exports_table
from ecavg_tf.report.tables import tables
from ecavg_tf.results import (
    EdgeResult,
    Refused,
    RoundResult,
    RunResults,
    Samples,
    ServerResult,
    ServerScore,
)

ODD = "\x1b[2J\x1b]0;owned\x07[/bogus]\ud800\n"
MARKUP = "[/x]"


def results(name: str, *, edge: str = "edge-00") -> RunResults:
    """A run with a class, a rung and a refusal of this name."""
    scores = Scores(Score(0.5, 1.0, 10), Score(0.5, 1.0, 10))
    accepted = Accepted(name, None, scores.own, scores.all, "abc", {"policy": name})
    rung = Rung(name, None, scores.own, scores.all)
    shown = EdgeResult(edge, 4, (4, 0), scores, scores, scores, (rung,), accepted)
    score = ServerScore(scores.all)
    result = RoundResult(
        1,
        (edge,),
        0,
        Samples(4, 4),
        {"evaluate": 0.0},
        ServerResult(score, score, score),
        (shown,),
        (Refused("edge-01", name),),
    )
    return RunResults(1, "finished", {"rounds": 1}, {}, (name, "[red]"), (result,))


@pytest.mark.parametrize("name", [MARKUP, "[red]", "[link=file:///etc]"])
def test_names_are_no_markup(name: str) -> None:
    text = printed(tables(results(name)))
    assert text.count(name) >= 3  # the class, the rung taken, the refusal
    assert name in printed(comparison([(name, results(name)), ("b", results("other"))]))
    assert name in printed(tables(results("global", edge=name)))
    assert name in printed(exports_table([exported(name, 1.0)]))


def test_no_terminal_code_of_an_older_run_reaches_the_terminal() -> None:
    old = replace(results("a"), rounds=results(ODD).rounds)
    for shown in (tables(old), comparison([("a", old), ("b", old)])):
        assert not set(ODD) & set(printed(shown)) - set("[/bogus2J]0;wned\n")


def answer(**changes: Any) -> Any:
    """What the server reads of an edge's last decision with such fields."""
    decision = json.loads(json.dumps(decided("edge-00").to_json()))
    decision["accepted"] |= changes
    decision["rungs"] = [
        {"rung": ODD, "alpha": None, "own": None, "all": None, "select": None, "certify": {ODD: 1}}
    ]
    request = asked(kind=FINISH)
    value = encode_reply(request, NoReply("edge-00", ""), {}) | {
        "error": None,
        "body": {"decision": decision},
    }
    return decode_reply(value, request, "edge-00", {})[0]


def test_what_an_edge_says_is_made_printable_where_it_enters() -> None:
    decision = answer(rung=ODD, evidence={ODD: [ODD, {"a": ODD}]}, weights_sha256=ODD).decision
    clean = one_line(ODD)
    assert clean == " [2J ]0;owned [/bogus]  "
    assert decision.accepted.rung == decision.accepted.weights_sha256 == clean
    assert decision.accepted.evidence == {clean: [clean, {"a": clean}]}
    assert decision.rungs[0].rung == clean
    assert decision.rungs[0].certify == {clean: 1}
    assert Decision.from_json(json.loads(json.dumps(decision.to_json()))) == decision


@pytest.mark.parametrize("make", [NoReply, UpdateRefused])
def test_a_reason_is_one_line_of_a_bounded_length(make: Any) -> None:
    assert make("edge-00", ODD).reason == one_line(ODD)
    assert len(make("edge-00", "x" * 15_000_000).reason) == 1001


def test_a_fields_name_is_a_foreign_text_too() -> None:
    with pytest.raises(FieldError) as caught:
        Fields.of({ODD * 1000: 1}).only(["a"])
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) == 1001


def test_an_error_text_of_many_megabytes_is_not_read(tmp_path: Path) -> None:
    from ecavg_tf.core.messages.mailbox import Mailbox

    box = Mailbox(tmp_path)
    box.reply(asked(), NoReply("a", "b"))
    path = box.outbox / "0001-exchange.json"
    path.write_text(path.read_text().replace('"b"', '"' + "b" * 15_000_000 + '"'))
    with pytest.raises(ValueError, match="at most 1048576 are allowed"):
        box.answer(asked())
