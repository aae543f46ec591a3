"""The types of a policy: what an edge knows when it decides, and what it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ecavg_tf.config import GuardRule
from ecavg_tf.core.anatomy import Anatomy
from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Examples


class Bench(Protocol):
    """What an edge can try out with a model's weights before it decides."""

    @property
    def anatomy(self) -> Anatomy:
        """Where the model keeps its head and its BatchNorm."""

    @property
    def guard(self) -> Examples:
        """Held-out examples; never uploaded, never trained on."""

    def on_guard(self, weights: Sequence[Array]) -> Predictions:
        """What the model says of the guard set."""

    def runs(self, weights: Sequence[Array]) -> bool:
        """Whether the edge can predict with these weights at all."""

    def recalibrated(self, weights: Sequence[Array]) -> list[Array]:
        """``weights`` with BatchNorm statistics re-estimated on the edge's train set."""


@dataclass(frozen=True)
class Situation:
    """What an edge knows when it decides.

    Attributes:
        global_model: weights of the global model.
        local: weights of its latest local model; None if it never trained.
        previous: weights it accepted before; None before its first decision.
        bench: what it can try out.
        edge: its name.
        seed: the run's.
        class_counts: its training examples of each class, shape (classes,).
        trained_on: effective examples of each class behind the global model, shape
            (classes,); None if the server does not know.
        level: chance of a false acceptance that this decision may have.
        rule: how ``guarded`` uses the guard set.
    """

    global_model: Sequence[Array]
    local: Sequence[Array] | None
    previous: Sequence[Array] | None
    bench: Bench
    edge: str
    seed: int
    class_counts: tuple[int, ...]
    trained_on: tuple[float, ...] | None
    level: float
    rule: GuardRule = GuardRule.TOGETHER


@dataclass(frozen=True)
class Candidate:
    """A rung with its weights.

    Attributes:
        rung: its name.
        weights: in template order.
        alpha: the share of the global model, for ``blend``.
        select: mean smoothed log-likelihood on the guard examples that select, if used.
        certify: evidence on the examples that certify, if it was tested.
    """

    rung: str
    weights: Sequence[Array]
    alpha: float | None = None
    select: float | None = None
    certify: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Choice:
    """A policy's answer: what it looked at, what it took, and why."""

    candidates: tuple[Candidate, ...]
    accepted: Candidate
    evidence: Mapping[str, Any] = field(default_factory=dict)
