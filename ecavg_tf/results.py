"""Results of a run, as typed objects and as results.json."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import cattrs
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from ecavg_tf.core.errors import WorkdirError, brief
from ecavg_tf.core.exports import Exported, Parity
from ecavg_tf.core.files import load_json, read_whole
from ecavg_tf.core.findings import Alone, EdgeCost, Influence, Privacy
from ecavg_tf.core.older_names import with_names_of_today
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.scores import Accepted, Rung, Score, Scores

SCHEMA_VERSION = 1
_Kind = TypeVar("_Kind")


@dataclass(frozen=True)
class ServerScore:
    """A server stage on the global test set.

    Attributes:
        all: its score.
        weights_sha256: of the global model.
        trained_on: effective examples of each class that the global model was trained on,
            if that is known.
    """

    all: Score | None
    weights_sha256: str | None = None
    trained_on: tuple[float, ...] | None = None


@dataclass(frozen=True)
class ServerResult:
    """The server's stages of a round."""

    averaged: ServerScore
    recalibrated: ServerScore
    global_: ServerScore


@dataclass(frozen=True)
class EdgeResult:
    """An edge in a round; stages it had no part in are None.

    Attributes:
        edge: its name.
        examples: size of its train set.
        class_counts: its examples of each class.
        start: the model it trained from.
        local: the model it trained.
        global_: the round's global model.
        rungs: the candidates it looked at when it decided on the global model.
        accepted: the one it took; None until it has decided.
    """

    edge: str
    examples: int
    class_counts: tuple[int, ...]
    start: Scores | None
    local: Scores | None
    global_: Scores | None
    rungs: tuple[Rung, ...] = ()
    accepted: Accepted | None = None


@dataclass(frozen=True)
class Refused:
    """An edge that the round went on without, refused or absent, and why."""

    edge: str
    reason: str


@dataclass(frozen=True)
class Samples:
    """Training examples that a round had, once each."""

    edges: int
    server: int


@dataclass(frozen=True)
class StartChoice:
    """What the server's fine-tuning started from, where it chose; see ``server.choose``.

    Attributes:
        taken: ``averaged``, ``start`` (what the round started from), or ``edge NAME``.
        not_asked: why no probe was made; None: it was.
        scores: mean smoothed log-likelihood of the held-out examples under each candidate, nats.
        midpoint: whether the midpoint between this start and the fine-tuned model became the
            global model.
        held_out: pooled examples that judged, and were not trained on.
        processed: examples that probes and their evaluation went through.
    """

    taken: str
    not_asked: str | None
    scores: Mapping[str, float] = field(default_factory=dict)
    midpoint: bool = False
    held_out: int = 0
    processed: int = 0


@dataclass(frozen=True)
class RoundResult:
    """One round.

    Attributes:
        round: its number, from 1.
        participants: the edges that were asked.
        pooled_bytes: pooled data that came in this round, in bytes.
        samples: examples on the participating edges and in the pool.
        seconds: time by stage; the edges' own stages are summed over edges.
        server: the server's stages.
        edges: one entry an edge that took part or decided.
        refused: who answered what could not be used.
        absent: who did not answer before the deadline.
        influence: what each accepted update does to the average.
        privacy: what the updates up to this round tell of an edge; None: they have no noise.
        choice: what the server chose to fine-tune, with ``server.combine=auto``.
        warmed_up: examples that the warm-up before round 1 went through.
        costs: seconds and bytes of every edge that was asked.
    """

    round: int
    participants: tuple[str, ...]
    pooled_bytes: int
    samples: Samples
    seconds: Mapping[str, float]
    server: ServerResult
    edges: tuple[EdgeResult, ...]
    refused: tuple[Refused, ...]
    absent: tuple[Refused, ...] = ()
    influence: tuple[Influence, ...] = ()
    privacy: Privacy | None = None
    choice: StartChoice | None = None
    warmed_up: int = 0
    costs: tuple[EdgeCost, ...] = ()


@dataclass(frozen=True, repr=False)
class RunResults:
    """A run: results.json, typed."""

    schema_version: int
    status: str
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    classes: tuple[str, ...]
    rounds: tuple[RoundResult, ...] = ()
    exports: tuple[Exported, ...] = ()
    alone: tuple[Alone, ...] = ()
    pooled_only: Alone | None = None

    def __repr__(self) -> str:
        """One line: all figures of a run would be thousands of characters."""
        edges = len(self.rounds[-1].edges) if self.rounds else 0
        return (
            f"<RunResults: {self.status}; {len(self.rounds)} rounds, {edges} edges in the last, "
            f"{len(self.exports)} exported files; .rows() gives all scores>"
        )

    def _repr_html_(self) -> str:
        """The last round's edges, for notebooks."""
        from ecavg_tf.results_html import edges_html

        return edges_html(self)

    def rows(self) -> list[dict[str, Any]]:
        """Every score as a dictionary, as in results.csv; ``pandas.DataFrame`` takes the list."""
        from ecavg_tf.results_csv import score_rows

        return score_rows(self)

    @property
    def recalibrates(self) -> bool:
        """Whether re-estimating BatchNorm made a difference to the average, in any round."""
        return any(each.server.recalibrated != each.server.averaged for each in self.rounds)


_OPTIONAL = ("absent", "influence", "choice", "warmed_up", "costs")  # of a round


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    of_today = make_dict_structure_fn(Parity, converter)
    converter.register_structure_hook(
        Parity, lambda value, kind: of_today(with_names_of_today(value), kind)
    )
    # Before the classes that hold one: their hooks are made from what is known by then.
    converter.register_unstructure_hook(
        ServerScore,
        make_dict_unstructure_fn(
            ServerScore,
            converter,
            weights_sha256=override(omit_if_default=True),
            trained_on=override(omit_if_default=True),
        ),
    )
    for kind in (ServerResult, EdgeResult):
        rename = {"global_": override(rename="global")}
        converter.register_structure_hook(
            kind,
            make_dict_structure_fn(kind, converter, **rename),  # type: ignore[arg-type]
        )
        converter.register_unstructure_hook(
            kind,
            make_dict_unstructure_fn(kind, converter, **rename),  # type: ignore[arg-type]
        )
    converter.register_unstructure_hook(
        RoundResult,
        make_dict_unstructure_fn(
            RoundResult,
            converter,
            **{name: override(omit_if_default=True) for name in _OPTIONAL},  # type: ignore[arg-type]
        ),
    )
    converter.register_unstructure_hook(
        RunResults,
        make_dict_unstructure_fn(
            RunResults,
            converter,
            alone=override(omit_if_default=True),
            pooled_only=override(omit_if_default=True),
        ),
    )
    return converter


_CONVERTER = _converter()


def to_json(results: Any) -> Any:
    """Any result object as JSON-ready values."""
    return _CONVERTER.unstructure(results)


def _structured(value: Any, kind: type[_Kind], what: str) -> _Kind:
    try:
        return _CONVERTER.structure(value, kind)
    except Exception as error:  # cattrs raises groups of whatever went wrong inside
        raise ValueError(f"not {what}: {error}") from error


def round_from_json(value: Any) -> RoundResult:
    """Reads what ``to_json`` made of a round.

    Raises:
        ValueError: it is not one.
    """
    return _structured(value, RoundResult, "a round's results")


def alone_from_json(value: Any) -> tuple[Alone, ...]:
    """Reads what ``to_json`` made of edges alone.

    Raises:
        ValueError: they are something else.
    """
    return _structured(value, tuple[Alone, ...], "the scores of edges alone")


def exports_from_json(value: Any) -> tuple[Exported, ...]:
    """Reads what ``to_json`` made of exports.

    Raises:
        ValueError: they are not exports.
    """
    return _structured(value, tuple[Exported, ...], "exports")


def load_results(path: str | Path) -> RunResults:
    """Reads results.json.

    Args:
        path: the file, or the run directory that holds it.

    Raises:
        WorkdirError: it is missing, damaged, or of another schema.
    """
    path = user_path(path)
    path = path / "results.json" if path.is_dir() else path
    try:
        fields = load_json(read_whole(path))
        version = fields["schema_version"]
    except FileNotFoundError as error:
        raise WorkdirError(f"{path} is not there; give a run directory of 'ecavg run'") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkdirError(
            f"{path} is damaged ({brief(error)}); 'ecavg run' on that directory writes it anew"
        ) from error
    if version != SCHEMA_VERSION:
        raise WorkdirError(
            f"{path} has schema version {version}, this program reads {SCHEMA_VERSION}"
        )
    try:
        return _CONVERTER.structure(fields, RunResults)
    except Exception as error:  # cattrs raises groups of whatever went wrong inside
        raise WorkdirError(f"{path} is damaged: {error}") from error
