"""What the server starts a run from, and what it does in a round beyond the paper."""

from collections.abc import Sequence

from ecavg_tf.config import Align, Config, DataConfig, Trains
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.template import Array
from ecavg_tf.data.consent import consented
from ecavg_tf.data.dataset import Examples, concatenated
from ecavg_tf.data.federated import FederatedData
from ecavg_tf.data.sources import load_data
from ecavg_tf.events import StageStarted
from ecavg_tf.models.channel_groups import channel_groups
from ecavg_tf.task import Task
from ecavg_tf.training.evaluation import KerasScorer
from server.aligning import Aligner
from server.choose import AUTO, Chooser
from server.distill import Teacher
from server.soup import SOUP
from server.tune import WHO, Tools
from server.warmup import warmed_up


def first_start(task: Task, data: FederatedData) -> tuple[Sequence[Array], int]:
    """The weights that round 1 starts from, and the examples that a warm-up went through.

    Args:
        task: what the participants share.
        data: of the edges in this process.

    Raises:
        ConfigError: there is nothing to warm up on.
    """
    server = task.config.server
    if not server.warmup_epochs:
        return task.initial, 0
    examples = _public(task) if server.warmup_data else _agreed(task.config, data)
    task.listener(StageStarted(0, "warmup", WHO))
    trainer = task.server_trainer
    weights = warmed_up(task.initial, examples, config=server, trainer=trainer)
    return weights, server.warmup_epochs * len(examples)


def begins_random(config: Config) -> bool:
    """Whether round 1 starts from weights that have learned nothing, as far as a config tells.

    With a frozen backbone they have: nobody freezes random weights.
    """
    random = config.model.init in ("shared", "independent") and config.model.train is Trains.ALL
    return random and not config.server.warmup_epochs


def tools_of(task: Task, scorer: KerasScorer, round_number: int) -> Tools:
    """What a round's server does beyond the paper, as the config says."""
    share = task.config.server.distill
    return Tools(
        aligner=_aligner(task, scorer, round_number),
        chooser=_chooser(task, scorer, round_number),
        teacher=Teacher(share, scorer.probabilities) if share else None,
    )


def _chooser(task: Task, scorer: KerasScorer, round_number: int) -> Chooser | None:
    """What chooses in a round with ``server.combine=auto`` or ``soup``; None: nothing does."""
    if task.config.server.combine not in (AUTO, SOUP):
        return None
    return Chooser(
        task.server_trainer,
        scorer.predictions_on,
        task.config.server,
        num_classes=task.spec.num_classes,
        seed=task.config.seed,
        round_number=round_number,
    )


def _aligner(task: Task, scorer: KerasScorer, round_number: int) -> Aligner | None:
    """What aligns a round's updates, where its edges started apart; None: nobody does."""
    config = task.config
    apart = round_number == 1 and config.model.init == "independent"
    if not apart or config.server.align is Align.OFF:
        return None
    return Aligner(
        channel_groups(task.server_trainer.model),
        task.server_trainer,
        scorer.predictions_on,
        seed=config.seed,
        round_number=round_number,
        listener=task.listener,
    )


def _agreed(config: Config, data: FederatedData) -> Examples:
    """What the edges will pool in round 1, which this process has already."""
    parts = [consented(data.edge(name).train, name, config) for name in data.edges]
    found = [part for part in parts if part is not None]
    if not found:
        raise ConfigError(
            "server.warmup_epochs has no examples: no edge pools any; name a data set with "
            "server.warmup_data"
        )
    return concatenated(found)


def _public(task: Task) -> Examples:
    """The training examples of ``server.warmup_data``, which must be like the run's."""
    config = task.config
    name = config.server.warmup_data
    found = load_data(DataConfig(name=name, data_dir=config.data.data_dir), config.seed)
    mine, theirs = task.spec, found.spec
    if (mine.input_shape, mine.dtype, mine.num_classes) != (
        theirs.input_shape, theirs.dtype, theirs.num_classes,
    ):  # fmt: skip
        raise ConfigError(
            f"server.warmup_data={name!r} has {theirs.dtype}{theirs.input_shape} and "
            f"{theirs.num_classes} classes; the run's data has {mine.dtype}{mine.input_shape} and "
            f"{mine.num_classes}: give one that is alike"
        )
    return found.train
