"""How an edge takes the global model over. A new policy is a function in ``POLICIES``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ecavg_tf.core.template import Array


@dataclass(frozen=True)
class Situation:
    """What an edge knows when it decides.

    Attributes:
        global_model: weights of the global model.
        local: weights of its latest local model; None if it never trained.
        previous: weights it accepted before; None before its first decision.
    """

    global_model: Sequence[Array]
    local: Sequence[Array] | None
    previous: Sequence[Array] | None


@dataclass(frozen=True)
class Candidate:
    """A rung with its weights."""

    rung: str
    weights: Sequence[Array]
    alpha: float | None = None


@dataclass(frozen=True)
class Choice:
    """A policy's answer: what it looked at, what it took, and why."""

    candidates: tuple[Candidate, ...]
    accepted: Candidate
    evidence: Mapping[str, Any] = field(default_factory=dict)


def replace(situation: Situation) -> Choice:
    """The ECAvg paper's update: the edge takes the global weights, whatever they do."""
    candidate = Candidate("global", situation.global_model)
    others = () if situation.local is None else (Candidate("local", situation.local),)
    return Choice((candidate, *others), candidate, {"policy": "replace"})


POLICIES: dict[str, Callable[[Situation], Choice]] = {"replace": replace}
