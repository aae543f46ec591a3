"""Decisions and times in plain words."""

from typing import Any

import pytest

from ecavg_tf.core.scores import Accepted, Score
from ecavg_tf.report import words
from ecavg_tf.report.exports import duration

TESTED = {
    "policy": "guarded", "base": "local", "tested": "prior", "alpha": None, "level": 0.05,
    "n": 70, "wins": 12, "losses": 3, "gain": 0.031, "bound": 0.0104, "p_loss": 0.012,
    "accuracy_change": 0.1, "accuracy_bound": 0.02, "smallest_gain": 0.18,
    "smallest_accuracy_gain": 5 / 70,
}  # fmt: skip


PRIOR = "the global model under its own label mix"


def accepted(rung: str, **evidence: Any) -> Accepted:
    score = Score(0.5, 1.0, 10)
    return Accepted(rung, None, score, score, "ab", {**TESTED, **evidence})


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        (
            accepted("prior", reason="certified"),
            "took the global model under its own label mix. On 70 held-out examples that had no "
            "part in choosing it, its gain over its local model is 0.031 nats of log-likelihood, "
            "and at least 0.010 with 95 % confidence; 12 examples turn right and 3 turn wrong.",
        ),
        (
            accepted("prior", reason="certified", rule="together"),
            "took the global model under its own label mix. On 70 held-out examples that tested "
            "all candidates together, its gain over its local model is 0.031 nats of "
            "log-likelihood, and at least 0.010 with 95 % confidence; 12 examples turn right and "
            "3 turn wrong.",
        ),
        (
            accepted("local", reason="not certified", bound=-0.149, losses=1, p_loss=0.99),
            "kept its local model. On 70 held-out examples that had no part in choosing it, the "
            "global model under its own label mix is ahead by 0.031 nats of log-likelihood; "
            "with this many examples, a gain under 0.180 nats can't be certified; 12 examples turn "
            "right and 1 turns wrong. By accuracy alone, 70 examples show only gains of 7.1 points "
            "or more. "
            "What would help: a larger partition.guard_fraction, or, at more risk of an error, a "
            "higher update.level.",
        ),
        (
            accepted(
                "local",
                reason="not certified",
                wins=1,
                losses=2,
                p_loss=0.3,
                n=4,
                smallest_accuracy_gain=1.0,
            ),
            "kept its local model. On 4 held-out examples that had no part in choosing it, the "
            "global model under its own label mix is ahead by 0.031 nats of log-likelihood; "
            "with this many examples, a gain under 0.180 nats can't be certified; accuracy does "
            "not speak for it: 1 example turns right and 2 turn wrong. By accuracy alone, 4 "
            "examples can't show any gain. What would help: a larger partition.guard_fraction, or, "
            "at more risk of an error, a higher update.level.",
        ),
        (
            accepted("local", reason="not certified", gain=-0.002, p_loss=0.3, wins=1, losses=1),
            "kept its local model. On 70 held-out examples that had no part in choosing it, the "
            "global model under its own label mix is behind by 0.002 nats of log-likelihood; 1 "
            "example turns right and 1 turns wrong.",
        ),
        (
            accepted(
                "local",
                reason="not certified",
                wins=0,
                losses=14,
                gain=0.107,
                bound=-0.6,
                p_loss=3e-5,
            ),
            "kept its local model. On 70 held-out examples that had no part in choosing it, the "
            "global model under its own label mix gets significantly more wrong: 0 examples turn "
            "right and 14 turn wrong (McNemar's p < 0.001). Its log-likelihood can't certify it, "
            "either: +0.107 nats, lower bound -0.600.",
        ),
        (
            accepted("local", reason="accuracy loss", wins=3, losses=12),
            "kept its local model and refused the global model under its own label mix, which "
            "gets significantly more examples wrong. On 70 held-out examples that had no part in "
            "choosing it, 3 examples turn right and 12 turn wrong (McNemar's p = 0.012), although "
            "it gains 0.031 nats of log-likelihood, at least 0.010.",
        ),
        (
            accepted("previous", reason="nothing better"),
            "kept the model it had accepted before: no candidate looked better on the half of "
            "its held-out data that selects. By accuracy alone, 70 examples show only gains of 7.1 "
            "points or more. A larger partition.guard_fraction would show smaller ones.",
        ),
        (
            accepted("previous", reason="nothing better", n=1500, smallest_accuracy_gain=5 / 1500),
            "kept the model it had accepted before: no candidate looked better on the half of "
            "its held-out data that selects. By accuracy alone, 1,500 examples show only gains of "
            "0.3 points or more.",
        ),
        (
            accepted("local", reason="no guard data"),
            "kept its local model: it holds out fewer than two examples, so nothing can be "
            "certified; raise partition.guard_fraction.",
        ),
        (
            accepted("global", reason="nothing to lose"),
            "took the global model: it had no model of its own to lose.",
        ),
        (
            accepted("global", policy="replace"),
            "took the global model, as update.policy=replace always does; nothing was tested.",
        ),
        (accepted("mine", policy="stubborn"), "took 'mine', by a policy of its own."),
        (accepted("local", reason="because"), "took its local model; its evidence can't be read."),
        (
            accepted("prior", reason="certified", gain="much"),
            "took the global model under its own label mix; its evidence can't be read.",
        ),
    ],
    ids=lambda value: value.evidence.get("reason") if isinstance(value, Accepted) else "",
)
def test_decisions_in_words(taken: Accepted, said: str) -> None:
    assert words.decision(taken) == said


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        (
            accepted("prior", reason="certified"),
            "took the global model under its own label mix: its 70 held-out examples show that it "
            "is better (95 % confidence).",
        ),
        (
            accepted("local", reason="not certified", gain=0.1, p_loss=0.5),
            f"kept its local model: {PRIOR} looks better on its 70 held-out examples by "
            "log-likelihood, but they are too few to be sure.",
        ),
        (
            accepted("local", reason="not certified", gain=-0.1, p_loss=0.5),
            f"kept its local model: {PRIOR} looks no better on its 70 held-out examples.",
        ),
        (
            accepted("local", reason="not certified", gain=0.1, p_loss=0.01),
            f"kept its local model: {PRIOR} gets significantly more of its 70 held-out examples "
            "wrong.",
        ),
        (
            accepted("local", reason="accuracy loss"),
            f"kept its local model: {PRIOR} gets significantly more of its 70 held-out examples "
            "wrong.",
        ),
        (
            accepted("previous", reason="nothing better"),
            "kept the model it had accepted before: no candidate looks better on its 70 held-out "
            "examples.",
        ),
    ],
)
def test_decisions_in_brief(taken: Accepted, said: str) -> None:
    assert words.brief(taken) == said


@pytest.mark.parametrize(
    "taken",
    [
        accepted("local", reason="no guard data"),
        accepted("global", policy="replace"),
        accepted("mine", policy="stubborn"),
        accepted("local", reason="because"),
        accepted("local", reason="not certified", n="many"),
    ],
)
def test_what_has_no_brief_form_is_told_whole(taken: Accepted) -> None:
    assert words.brief(taken) == words.decision(taken)


def test_a_local_model_that_is_new_is_not_called_kept() -> None:
    told = words.decision(accepted("local", reason="nothing better", since_previous=TESTED))
    assert told.startswith("took its new local model: no candidate looked better")


def test_a_change_of_what_was_deployed_in_words() -> None:
    assert words.since_previous(accepted("prior", since_previous=None)) is None
    told = words.since_previous(accepted("prior", since_previous=TESTED))
    assert told is not None
    assert "changed by +10.0 points; on examples like them, a change below +2.0 points is" in told


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [(0.000992, "0.99 µs"), (0.0421, "42.1 µs"), (1.5, "1.50 ms"), (71.93, "71.9 ms"),
     (1234.5, "1,234 ms")],
)  # fmt: skip
def test_times_have_a_unit_that_suits(milliseconds: float, said: str) -> None:
    assert duration(milliseconds) == said
