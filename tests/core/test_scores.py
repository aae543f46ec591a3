"""What an edge decided comes over a wire: anything but a sound decision is a ValueError."""

import json
from typing import Any

import pytest

from ecavg_tf.core.scores import Accepted, Decision, Rung, Score, Scores

SCORE = Score(0.5, 1.25, 40)
DECISION = Decision(
    round=3,
    edge="edge-00",
    examples=5,
    class_counts=(2, 3),
    rungs=(Rung("global", None, SCORE, SCORE), Rung("blend", 0.5, None, SCORE, -1.0, {"n": 3})),
    accepted=Accepted("blend", 0.5, None, SCORE, "abc", {"policy": "replace"}),
    seconds=0.25,
    evaluate_seconds=1.5,
)


def test_a_decision_survives_the_wire() -> None:
    assert Decision.from_json(json.loads(json.dumps(DECISION.to_json()))) == DECISION


def changed(path: str, value: Any) -> dict[str, Any]:
    fields: Any = json.loads(json.dumps(DECISION.to_json()))
    *way, last = path.split(".")
    inner = fields
    for step in way:
        inner = inner[int(step)] if isinstance(inner, list) else inner[step]
    inner[last] = value
    result: dict[str, Any] = fields
    return result


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seconds", "soon"),
        ("seconds", 10**400),
        ("seconds", True),
        ("evaluate_seconds", None),
        ("round", 1.5),
        ("round", -1),
        ("examples", "5"),
        ("class_counts", [2, "3"]),
        ("class_counts", 7),
        ("edge", 4),
        ("rungs", [{}]),
        ("rungs", None),
        ("rungs.0.rung", 5),
        ("rungs.1.alpha", "half"),
        ("rungs.0.own", {"accuracy": 0.5}),
        ("rungs.0.own.n", "x"),
        ("rungs.0.own.n", -1),
        ("rungs.0.own.accuracy", 1.5),
        ("rungs.0.own.accuracy", 10**400),
        ("rungs.0.own.loss", float("nan")),
        ("accepted.own", 3),
        ("accepted.weights_sha256", None),
        ("accepted.evidence", [1]),
        ("accepted.evidence", {"a": [[[[[[]]]]]]}),
        ("accepted.evidence", {"a": list(range(2000))}),
        ("accepted.evidence", {"a": "x" * 2000}),
        ("accepted.evidence", {"a": float("inf")}),
        ("accepted.evidence", {1: 2}),
        ("rungs.1.certify", [1]),
        ("rungs.1.certify", "x"),
        ("rungs.1.select", "abc"),
        ("accepted.extra", 1),
        ("extra", 1),
    ],
)
def test_an_unsound_decision_is_refused(path: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"decision|score"):
        Decision.from_json(changed(path, value))


@pytest.mark.parametrize("value", [3, {"own": None}, {"own": None, "all": {"accuracy": "1"}}])
def test_unsound_scores_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="score"):
        Scores.from_json(value)
