"""The models of a run that can be exported, and the examples that each is compared on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from ecavg_tf.config.checks import one_of
from ecavg_tf.config.tune import tune_epochs
from ecavg_tf.core.errors import WorkdirError, brief
from ecavg_tf.core.files import read_json
from ecavg_tf.core.messages.tensor_rest import KEYS, REST, read_whole
from ecavg_tf.core.scores import Decision
from ecavg_tf.core.template import Array, weights_sha256
from ecavg_tf.data.consent import consented
from ecavg_tf.data.dataset import EdgeData, Examples, stratified
from ecavg_tf.data.federated import FederatedData
from ecavg_tf.data.pooled import read_all_pooled
from ecavg_tf.models.saving import ENDINGS, load_weights
from ecavg_tf.results import load_results
from ecavg_tf.task import Task
from export.making.calibration import Calibration, draw
from export.proving.seen import Drawn, gather
from export.quantizing.tuning import MOST_TUNED, Tuning
from export.subject import Subject

GLOBAL = "global"
_TENSORS = ".safetensors"  # of a decision within a run; the last one is kept as a model file


@dataclass(frozen=True)
class Found:
    """A model that a run left behind.

    Attributes:
        name: an edge's, or ``global``.
        folder: where it lies.
        file: its name there, without the ending that Keras' files have.
        round: whose global model it is, or was decided on.
        weights_sha256: what its weights must be.
        weights: the weights, in template order, where they lie in no file of their own; else None.
    """

    name: str
    folder: Path
    file: str
    round: int
    weights_sha256: str
    weights: tuple[Array, ...] | None = None


def models_of(path: Path, edges: Sequence[str]) -> Iterator[Found]:
    """The last accepted model of each edge, and the last global model."""
    for edge in edges:
        found = accepted_of(path / "edges" / edge, edge)
        if found is not None:
            yield found
    found = global_of(path)
    if found is not None:
        yield found


def global_of(path: Path) -> Found | None:
    """The last global model of a run; None before its first round is over."""
    rounds = load_results(path).rounds
    if not rounds:
        return None
    last = rounds[-1]
    sha256 = last.server.global_.weights_sha256
    return Found(GLOBAL, path / "rounds" / f"{last.round:04d}", "global", last.round, str(sha256))


def load_found(model: keras.Model, found: Found) -> None:
    """Sets a model to the weights that a run left behind.

    Raises:
        WorkdirError: they are not the weights that the run recorded.
    """
    if found.weights is not None:
        model.set_weights(list(found.weights))
    elif found.file.endswith(_TENSORS):
        model.set_weights(_decided(found.folder / found.file)[1])
    else:
        load_weights(model, found.folder, found.file)
    if weights_sha256(model.get_weights()) != found.weights_sha256:
        raise WorkdirError(
            f"the model in {found.folder} is not the one that was accepted; run again "
            "into another directory"
        )


def accepted_of(folder: Path, edge: str) -> Found | None:
    """What an edge's own folder holds as its last decision, also of a run that is not over."""
    finished = sorted(folder.glob("finish-*.json"))
    if finished:
        try:
            decision = Decision.from_json(read_json(finished[-1]))
        except ValueError as error:
            raise WorkdirError(f"{finished[-1]} is damaged: {error}") from error
        file, sha256 = "accepted", decision.accepted.weights_sha256
        if not any((folder / (file + ending)).exists() for ending in ENDINGS):  # of many edges
            file = f"accepted-{decision.round:04d}{_TENSORS}"
        return Found(edge, folder, file, decision.round, sha256)
    decided = sorted(folder.glob(f"accepted-*{_TENSORS}"), key=lambda path: (len(path.name), path))
    if not decided:
        return None
    decision, _ = _decided(decided[-1])
    file = decided[-1].name
    return Found(edge, folder, file, decision.round, decision.accepted.weights_sha256)


def _decided(path: Path) -> tuple[Decision, list[Array]]:
    """A decision within a run, with the weights that the edge accepted, in template order."""
    try:
        said, named = read_whole(path)
        known = {name: value for name, value in said.items() if name not in (KEYS, REST)}
        return Decision.from_json(known), list(named.values())
    except (KeyError, TypeError, ValueError) as error:
        raise WorkdirError(
            f"{path} is damaged ({brief(error)}); restore it from a copy, or resume the run"
        ) from error


def _run_id(path: Path, found: Found) -> str:
    owner = found.folder / "owner.json"
    source = owner if owner.exists() else path / "environment.json"
    return str(read_json(source).get("run_id"))


def chosen(models: list[Found], names: Sequence[str], path: Path) -> list[Found]:
    """The models of these names; no names: all.

    Raises:
        WorkdirError: the run has no models.
        ConfigError: a name is not among them.
    """
    if not models:
        raise WorkdirError(f"{path} has no finished round: nothing to export; resume the run")
    for name in names:
        one_of("--edge", name, tuple(model.name for model in models))
    return [model for model in models if not names or model.name in names]


def subject_of(task: Task, data: FederatedData, path: Path, found: Found, at_home: bool) -> Subject:
    """A model with the examples that it is calibrated on and compared on."""
    edge = None if found.name == GLOBAL else data.edge(found.name)
    count = task.config.export.calibration_examples
    calibration = _training(task, path, edge, data.edges, at_home, count)
    parity, words = _parity_inputs(task, data.test, edge)
    more = _seen(task, path, edge, data.edges, at_home, calibration, parity)
    return Subject(
        name=found.name,
        round=found.round,
        weights_sha256=found.weights_sha256,
        origin={
            "run": _run_id(path, found),
            "round": found.round,
            "edge": None if edge is None else edge.edge,
            "weights_sha256": found.weights_sha256,
        },
        calibration=calibration,
        no_calibration="no training examples may be used: no edge pools its data "
        "(server.pool, server.pool_edges); int8 needs some",
        inputs=parity.inputs,
        labels=parity.labels,
        words=words,
        seen=more,
        tuning=_tuning(task, path, edge, data.edges, at_home),
    )


def _seen(
    task: Task,
    path: Path,
    edge: EdgeData | None,
    edges: Sequence[str],
    at_home: bool,
    calibration: Calibration | None,
    test: Examples,
) -> Drawn:
    """For where test examples are too few: the edge's own training examples, then pooled ones.

    Pooled ones are of the classes of the test examples: what a model says of classes that
    it was never shown is near a tie more often than what it is used for.
    """
    sources: list[tuple[str, Array]] = []
    own = None if edge is None else _own(task, edge, at_home)
    if edge is not None and own is not None:
        sources.append((f"own training examples of {edge.edge}", own.inputs))
    pooled = read_all_pooled(path / "pooled", edges, task.spec)
    if pooled is not None:
        fitting = np.isin(pooled.labels, np.unique(test.labels))
        sources.append(("pooled training examples", pooled.inputs[fitting]))
    used = None if calibration is None else calibration.inputs
    return gather(sources, used, test.inputs, task.config.seed)


def _own(task: Task, edge: EdgeData, at_home: bool) -> Examples | None:
    """An edge's training examples, if it consents or lives in this process."""
    return edge.train if at_home else consented(edge.train, edge.edge, task.config)


def _training(
    task: Task,
    path: Path,
    edge: EdgeData | None,
    edges: Sequence[str],
    at_home: bool,
    count: int,
) -> Calibration | None:
    """Training examples of the edge, if it consents or lives in this process; else pooled ones."""
    seed = task.config.seed
    if edge is not None:
        own = _own(task, edge, at_home)
        if own is not None:
            return draw(own, count, seed, f"own training examples of {edge.edge}", edge.edge)
    pooled = read_all_pooled(path / "pooled", edges, task.spec)
    return None if pooled is None else draw(pooled, count, seed, "pooled training examples", GLOBAL)


def _tuning(
    task: Task, path: Path, edge: EdgeData | None, edges: Sequence[str], at_home: bool
) -> Tuning | None:
    """What int8 may be tuned on: the same examples that it is calibrated on, and more of them."""
    word = task.config.export.tune
    drawn = _training(task, path, edge, edges, at_home, MOST_TUNED) if tune_epochs(word) else None
    return None if drawn is None else Tuning.on(drawn, word, task.config.seed)


def _parity_inputs(task: Task, test: Examples, edge: EdgeData | None) -> tuple[Examples, str]:
    """Test examples; for an edge those of its classes (all of them, if the test set has none)."""
    words = "test examples"
    if edge is not None and edge.test is not None:
        part = {id(edge.guard): "held-out", id(edge.train): "training"}.get(id(edge.test), "test")
        test, words = edge.test, f"{part} examples of {edge.edge}'s own"
    elif edge is not None:
        present = np.flatnonzero(edge.train.class_counts(task.spec.num_classes))
        indices = np.flatnonzero(np.isin(test.labels, present))
        if len(indices) > 0:
            test, words = (
                test.take(indices),
                f"test examples of {edge.edge}'s {len(present)} classes",
            )
    most = task.config.export.parity_examples
    if 0 < most < len(test):
        place = "global" if edge is None else edge.edge
        test = test.take(stratified(test.labels, most, task.config.seed, "parity", place))
    return test, f"{len(test)} {words}"
