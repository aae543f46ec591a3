"""The baseline: each edge alone, for as many epochs as it trained in all rounds together.

Without it, a run of many rounds would sell epochs as collaboration: a model that was trained four
times as long is better, wherever its weights have been in between.
"""

import time
from collections.abc import Sequence

from ecavg_tf.baseline import FOLDER, read_alone, write_alone
from ecavg_tf.config import Config
from ecavg_tf.core.checkpoint import Checkpoint, State
from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.findings import Alone
from ecavg_tf.core.template import Array, weights_sha256
from ecavg_tf.data.federated import FederatedData
from ecavg_tf.events import Note, StageStarted
from ecavg_tf.models.builders import initial_weights
from ecavg_tf.results import RoundResult, RunResults
from ecavg_tf.rundir import RunDirectory
from ecavg_tf.task import Task
from ecavg_tf.training.resuming import fit_key


def wants_alone(config: Config, done: RunResults) -> bool:
    """Whether edges of a finished run have not trained alone yet, and are to."""
    if not config.baseline.alone:
        return False
    known = {alone.edge: alone.rounds for alone in done.alone}
    return any(known.get(edge) != took for edge, took in took_part(done.rounds).items())


def alone_examples(config: Config, data: FederatedData) -> int:
    """Examples that training alone will go through, if every edge takes part in every round."""
    if not config.baseline.alone or (config.rounds == 1 and not config.server.warmup_epochs):
        return 0
    trained = sum(len(data.edge(name).train) for name in data.edges)
    return config.rounds * config.edge.epochs * trained


def train_alone(task: Task, data: FederatedData, directory: RunDirectory) -> None:
    """Trains every edge alone that has not yet, and keeps its scores in the run directory.

    Args:
        task: the edges'; the weights of its model are changed.
        data: of the edges, which are in this process.
        directory: the opened run directory; its rounds are finished.
    """
    rounds = directory.rounds()
    known = {alone.edge: alone for alone in read_alone(directory.path)}
    for edge, took in took_part(rounds).items():
        if edge in known and known[edge].rounds == took:
            continue
        task.listener(StageStarted(took[-1], "alone", edge))
        path = directory.path / FOLDER / f"{edge}.safetensors"
        known[edge] = _as_local(task.config, rounds, edge, took) or _trained(
            task, data, edge, took, Checkpoint(path)
        )
        write_alone(directory.path, list(known.values()))
        path.unlink(missing_ok=True)


def took_part(rounds: Sequence[RoundResult]) -> dict[str, tuple[int, ...]]:
    """The rounds that each edge trained in, in order; edges that never did are left out."""
    found: dict[str, tuple[int, ...]] = {}
    for result in rounds:
        for edge in result.edges:
            if edge.local is not None:
                found[edge.edge] = (*found.get(edge.edge, ()), result.round)
    return dict(sorted(found.items()))


def _as_local(
    config: Config, rounds: Sequence[RoundResult], edge: str, took: tuple[int, ...]
) -> Alone | None:
    """Who trained in round 1 only, from a start that knew nothing of others, was alone."""
    if took != (1,) or config.server.warmup_epochs:
        return None
    local = next(each.local for each in rounds[0].edges if each.edge == edge)
    if local is None:
        return None
    return Alone(edge, took, config.edge.epochs, 0, local.own, local.all)


def _trained(
    task: Task, data: FederatedData, edge: str, took: tuple[int, ...], kept: Checkpoint
) -> Alone:
    """Fits as the rounds did, each with a fresh optimizer, but from the edge's own weights."""
    config, mine = task.config, data.edge(edge)
    trainer, scorer = task.edge_trainer, task.scorer(task.edge_trainer, data.test)
    began = time.monotonic()
    weights = _start(task, edge)
    key = fit_key(config.edge, weights, mine.train, config.seed, "alone", edge)
    weights, done = _resumed(task, kept, key, weights)
    for at, number in enumerate(took[done:], start=done + 1):
        weights = trainer.fit(weights, mine.train, round_number=number, who=edge)
        if config.edge.recalibrate:
            weights = trainer.recalibrate(weights, mine.train, round_number=number, who=edge)
        kept.save(key, at, State(tuple(weights), (), 0.0))
    counts = mine.train.class_counts(task.spec.num_classes)
    scores = scorer.scores(weights, counts, mine.test)
    epochs = config.edge.epochs * len(took)
    return Alone(
        edge,
        took,
        epochs,
        epochs * len(mine.train),
        scores.own,
        scores.all,
        weights_sha256(weights),
        time.monotonic() - began,
        scorer.hits(weights, counts, mine.test),
    )


def _start(task: Task, edge: str) -> list[Array]:
    if task.config.model.init == "independent":
        return initial_weights(task.config, task.spec, edge)
    return list(task.initial)


def _resumed(
    task: Task, kept: Checkpoint, key: str, weights: list[Array]
) -> tuple[list[Array], int]:
    """The weights after the last fit that a killed process finished, and how many it did."""
    try:
        found = kept.load(key, State(tuple(weights), (), 0.0))
    except WorkdirError as error:
        task.listener(Note(f"{error}; it trains alone from the beginning"))
        found = None
    return (weights, 0) if found is None else (list(found[0].weights), found[1])
