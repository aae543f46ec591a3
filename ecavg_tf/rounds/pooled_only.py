"""The other baseline: the server trains on the pooled data alone, without the edges' weights.

Without it, a global model would take credit for what its pooled examples alone are worth.
"""

import time
from collections.abc import Iterable, Mapping

from ecavg_tf.baseline import read_pooled_only, write_pooled_only
from ecavg_tf.config import Config, ServerConfig
from ecavg_tf.core.findings import Alone
from ecavg_tf.core.template import weights_sha256
from ecavg_tf.data.dataset import Examples, concatenated
from ecavg_tf.data.federated import FederatedData
from ecavg_tf.events import StageStarted
from ecavg_tf.results import RunResults
from ecavg_tf.rounds.server_start import first_start
from ecavg_tf.rundir import RunDirectory
from ecavg_tf.task import Task
from ecavg_tf.training.evaluation import KerasScorer
from server.pool_size import for_share
from server.tune import WHO


def wants_pooled_only(config: Config, done: RunResults) -> bool:
    """Whether the server of a finished run has not trained on the pool alone yet, and is to."""
    if not config.baseline.pooled or not _tunes(config) or not done.rounds:
        return False
    known = done.pooled_only
    return known is None or len(known.rounds) != len(done.rounds)


def train_pooled_only(
    task: Task,
    data: FederatedData,
    directory: RunDirectory,
    parts: Mapping[str, Examples],
    scorer: KerasScorer,
) -> None:
    """Trains from the run's start as long as the fine-tunes of all rounds, and keeps the score.

    In every round it gets what is pooled at the end, which may be more than the round had.

    Args:
        task: the server's; the weights of its model are changed.
        data: of the edges in this process, for a warm-up.
        directory: the opened run directory; its rounds are finished.
        parts: the pooled data, by edge.
        scorer: scores on the global test set.
    """
    rounds, config = directory.rounds(), task.config
    if not parts or not _tunes(config):
        return
    known = read_pooled_only(directory.path)
    if known is not None and len(known.rounds) == len(rounds):
        return
    began, pooled = time.monotonic(), concatenated(list(parts.values()))
    weights, warmed_up = first_start(task, data)
    task.listener(StageStarted(len(rounds), "pooled_only", WHO))
    epochs = 0
    for result in rounds:
        settings = for_share(config.server, len(pooled), result.samples.edges)
        trainer = task.server_trainer.with_settings(settings)
        epochs += settings.epochs
        weights = trainer.fit(weights, pooled, round_number=result.round, who=WHO)
        if config.server.recalibrate:
            weights = trainer.recalibrate(weights, pooled, round_number=result.round, who=WHO)
    made = Alone(
        edge=WHO,
        rounds=tuple(result.round for result in rounds),
        epochs=epochs,
        processed=warmed_up + epochs * len(pooled),
        own=None,
        all=scorer.all(weights),
        weights_sha256=weights_sha256(weights),
        seconds=time.monotonic() - began,
    )
    write_pooled_only(directory.path, made)


def pooled_only_examples(config: Config, pooled: int, by_round: Iterable[int]) -> int:
    """Examples that all its epochs will go through.

    Args:
        config: the run's.
        pooled: how many are pooled.
        by_round: how many the edges train on in each round.
    """
    if not (config.baseline.pooled and _tunes(config)):
        return 0
    return sum(tuned_examples(config.server, pooled, examples) for examples in by_round)


def tuned_examples(server: ServerConfig, pooled: int, examples: int) -> int:
    """Examples that one fine-tuning goes through; see ``pooled_only_examples``."""
    return for_share(server, pooled, examples).epochs * pooled if pooled else 0


def _tunes(config: Config) -> bool:
    return config.server.pool and config.server.epochs > 0
