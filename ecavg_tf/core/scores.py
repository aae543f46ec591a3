"""Scores and an edge's decision, in the words of results.json."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ecavg_tf.core.errors import one_line
from ecavg_tf.core.fields import Fields


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
        values = Fields(vars(self), "score.")
        values.number("accuracy", 0, 1)
        values.number("loss")
        values.count("n")


@dataclass(frozen=True)
class Scores:
    """One model on the two test distributions of an edge (None: can't be measured)."""

    own: Score | None
    all: Score | None

    @classmethod
    def from_json(cls, value: Any) -> "Scores":
        """Reads what ``dataclasses.asdict`` made of one.

        Raises:
            ValueError: a field is missing, unknown, or not what it must be.
        """
        return cls(**_scored(Fields.of(value, "scores."), cls))

    def completed(self, other: "Scores | None") -> "Scores":
        """These scores, and what they lack from others."""
        if other is None:
            return self
        return Scores(self.own or other.own, self.all or other.all)


def mean(scores: Sequence[Score]) -> Score | None:
    """The score on all examples of some test sets together; None: there is no test set."""
    n = sum(each.n for each in scores)
    if not n:
        return None
    accuracy = sum(each.accuracy * each.n for each in scores) / n
    return Score(min(1.0, accuracy), sum(each.loss * each.n for each in scores) / n, n)


@dataclass(frozen=True)
class Rung:
    """A candidate that an edge looked at.

    Attributes:
        rung: its name: ``global``, ``prior``, ``blend``, ``local``, …
        alpha: the share of the global model, for ``blend``.
        own: score on the edge's own test distribution.
        all: score on the global test set.
        select: mean log-likelihood on the guard examples that select, if used.
        certify: evidence on the examples that certify, for the candidate that was tested.
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
    def from_json(cls, value: Any) -> "Decision":
        """Reads what ``to_json`` wrote.

        Raises:
            ValueError: a field is missing, unknown, or not what it must be.
        """
        return cls.field(Fields({"decision": value}), "decision")

    @classmethod
    def field(cls, holder: Fields, name: str) -> "Decision":
        """Reads a field of an object that holds a decision, as ``from_json`` does."""
        values = holder.inner(name)
        values.only([each.name for each in fields(cls)])
        return cls(
            round=values.count("round"),
            edge=values.text("edge"),
            examples=values.count("examples"),
            class_counts=values.each("class_counts", Fields.count),
            rungs=values.each("rungs", lambda rungs, at: Rung(**_scored(rungs.inner(at), Rung))),
            accepted=Accepted(**_scored(values.inner("accepted"), Accepted)),
            seconds=values.number("seconds"),
            evaluate_seconds=values.number("evaluate_seconds"),
        )


def _score(values: Fields, name: str) -> Score:
    score = values.inner(name)
    score.only([each.name for each in fields(Score)])
    return Score(score.number("accuracy", 0, 1), score.number("loss"), score.count("n"))


def _evidence(values: Fields, name: str) -> Mapping[str, Any]:
    evidence = values.inner(name).values
    if not is_plain(evidence):
        raise values.refuse(name, "plain JSON of few levels and members")
    return {one_line(key): _lines(value) for key, value in evidence.items()}


def _lines(value: Any) -> Any:
    """Plain JSON with every text as one printable line: reports show it."""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, list):
        return [_lines(member) for member in value]
    if isinstance(value, dict):
        return {one_line(key): _lines(member) for key, member in value.items()}
    return value


_READ: dict[str, Callable[[Fields, str], Any]] = {
    "rung": Fields.line,
    "alpha": lambda values, name: values.maybe(name, Fields.number),
    "own": lambda values, name: values.maybe(name, _score),
    "all": lambda values, name: values.maybe(name, _score),
    "select": lambda values, name: values.maybe(name, Fields.number),
    "certify": lambda values, name: values.maybe(name, _evidence),
    "weights_sha256": Fields.line,
    "evidence": _evidence,
}


def _scored(values: Fields, kind: type) -> dict[str, Any]:
    """The fields of scores, of a rung, or of what was accepted."""
    names = [each.name for each in fields(kind)]
    values.only(names)
    return {name: _READ[name](values, name) for name in names}


def is_plain(value: Any, depth: int = 5, most: int = 1000) -> bool:
    """Whether a value is plain JSON that a report can show: few levels, few members."""
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        return abs(value) < 1e300
    if isinstance(value, str):
        return len(value) <= 1000
    if depth == 0 or not isinstance(value, dict | list) or len(value) > most:
        return False
    members = value.values() if isinstance(value, dict) else value
    named = not isinstance(value, dict) or all(isinstance(key, str) for key in value)
    return named and all(is_plain(member, depth - 1, most) for member in members)
