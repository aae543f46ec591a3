"""What a run is compared with, after its last round; see the config's section ``baseline``."""

from collections.abc import Sequence

from ecavg_tf.config import Config
from ecavg_tf.data.federated import FederatedData
from ecavg_tf.data.pooled import pooled_by_edge
from ecavg_tf.results import RunResults
from ecavg_tf.rounds.alone import train_alone, wants_alone
from ecavg_tf.rounds.pooled_only import train_pooled_only, wants_pooled_only
from ecavg_tf.rundir import RunDirectory
from ecavg_tf.task import Task
from ecavg_tf.training.evaluation import KerasScorer


def wants_baselines(config: Config, done: RunResults) -> bool:
    """Whether a finished run lacks one that is asked for."""
    return wants_alone(config, done) or wants_pooled_only(config, done)


def train_baselines(
    task: Task,
    data: FederatedData,
    directory: RunDirectory,
    edges: Sequence[str],
    scorer: KerasScorer,
) -> None:
    """Trains what is asked for and not kept yet.

    Args:
        task: what the participants share; the weights of its models are changed.
        data: of the edges in this process.
        directory: the opened run directory; its rounds are finished.
        edges: the names of all edges.
        scorer: scores on the global test set.
    """
    if task.config.baseline.alone:
        train_alone(task, data, directory)
    if task.config.baseline.pooled:
        parts = pooled_by_edge(directory.pooled, edges, task.spec)
        train_pooled_only(task, data, directory, parts, scorer)
