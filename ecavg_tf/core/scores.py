"""Scores and an edge's decision, in the words of results.json."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Score:
    """A model's score on one test distribution.

    Attributes:
        accuracy: weighted share of right answers, in [0, 1].
        loss: weighted mean of the negative log-likelihood, in nats.
        n: how many test examples have a weight above zero.
    """

    accuracy: float
    loss: float
    n: int

    def __post_init__(self) -> None:
        if not (is_number(self.accuracy) and 0 <= self.accuracy <= 1 and is_number(self.loss)):
            raise ValueError(
                f"not a score: accuracy {self.accuracy!r}, loss {self.loss!r}; expected numbers"
            )
        if not is_count(self.n):
            raise ValueError(f"not a score: n is {self.n!r}, expected a whole number")


def is_number(value: object) -> bool:
    """Whether a value that was received is a finite number of a sane size."""
    return isinstance(value, (int, float)) and type(value) is not bool and abs(value) < 1e300


def is_count(value: object) -> bool:
    """Whether a value that was received is a whole number from 0 that float64 holds."""
    return type(value) is int and 0 <= value <= 2**53


@dataclass(frozen=True)
class Scores:
    """One model on the two test distributions of an edge (None: can't be measured)."""

    own: Score | None
    all: Score | None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Scores":
        """Reads what ``dataclasses.asdict`` made of one.

        Raises:
            ValueError: a field is missing or unknown.
        """
        try:
            return cls(**_scored(value))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not scores: {error}") from error


@dataclass(frozen=True)
class Rung:
    """A candidate that an edge looked at.

    Attributes:
        rung: its name: ``global``, ``prior``, ``blend``, ``local``, …
        alpha: the share of the global model, for ``blend``.
        own: score on the edge's own test distribution.
        all: score on the global test set.
        select: mean log-likelihood on the selecting half of the guard set, if used.
        certify: evidence on the certifying half, for the candidate that was tested.
    """

    rung: str
    alpha: float | None
    own: Score | None
    all: Score | None
    select: float | None = None
    certify: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Accepted:
    """The rung that the edge deploys, and why."""

    rung: str
    alpha: float | None
    own: Score | None
    all: Score | None
    weights_sha256: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """What an edge decided on the global model of one round.

    Attributes:
        round: whose global model it decided on.
        edge: name of the edge.
        examples: size of its train set.
        class_counts: its examples of each class.
        rungs: all candidates, in the order they were tried.
        accepted: the one it took.
        seconds: how long deciding took.
        evaluate_seconds: how long scoring the rungs took.
    """

    round: int
    edge: str
    examples: int
    class_counts: tuple[int, ...]
    rungs: tuple[Rung, ...]
    accepted: Accepted
    seconds: float
    evaluate_seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Decision":
        """Reads what ``to_json`` wrote.

        Raises:
            ValueError: a field is missing or unknown.
        """
        try:
            fields = dict(value)
            counts = tuple(fields["class_counts"])
            fields["class_counts"] = counts
            fields["rungs"] = tuple(Rung(**_scored(rung)) for rung in fields["rungs"])
            fields["accepted"] = Accepted(**_scored(fields["accepted"]))
            decision = cls(**fields)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a decision: {error}") from error
        whole = all(is_count(n) for n in (*counts, decision.examples, decision.round))
        timed = is_number(decision.seconds) and is_number(decision.evaluate_seconds)
        named = isinstance(decision.edge, str)
        if not (whole and timed and named):
            raise ValueError(
                "not a decision: expected whole numbers as counts and round, numbers as seconds "
                "and a text as the edge's name"
            )
        return decision


def _scored(value: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a rung or of scores, with ``own`` and ``all`` as ``Score`` objects."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{value!r:.80} came, expected an object")
    for name, kind in (("rung", str), ("weights_sha256", str), ("evidence", dict)):
        if name in value and not isinstance(value[name], kind):
            raise TypeError(f"{name} is {value[name]!r:.80}, expected {kind.__name__}")
    for name in ("alpha", "select"):
        if value.get(name) is not None and not is_number(value[name]):
            raise TypeError(f"{name} is {value[name]!r:.80}, expected a number")
    if not isinstance(value.get("certify"), dict | None):
        raise TypeError(f"certify is {value['certify']!r:.80}, expected an object")
    for name in ("certify", "evidence"):
        if not is_plain(value.get(name)):
            raise TypeError(f"{name} is nested too deep, too large, or not plain JSON")
    scores = {
        name: None if value[name] is None else Score(**value[name]) for name in ("own", "all")
    }
    return {**value, **scores}


def is_plain(value: Any, depth: int = 5, most: int = 1000) -> bool:
    """Whether a value is plain JSON that a report can show: few levels, few members."""
    if value is None or isinstance(value, bool) or is_number(value):
        return True
    if isinstance(value, str):
        return len(value) <= 1000
    if depth == 0 or not isinstance(value, dict | list) or len(value) > most:
        return False
    members = value.values() if isinstance(value, dict) else value
    named = not isinstance(value, dict) or all(isinstance(key, str) for key in value)
    return named and all(is_plain(member, depth - 1, most) for member in members)
