"""The server's training before round 1, from a random start (``server.warmup_epochs``).

Averaging needs a start that has learned something: edges that begin with one epoch of the
server's end closer together, and their average keeps more of what they learned.
"""

from collections.abc import Sequence
from dataclasses import replace

from ecavg_tf.config import ServerConfig
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Examples
from ecavg_tf.training.trainer import KerasTrainer

WHO = "server"


def warmed_up(
    weights: Sequence[Array], examples: Examples, *, config: ServerConfig, trainer: KerasTrainer
) -> list[Array]:
    """Trains the start that all edges share, before there is a round.

    The same seed, weights and examples give the same bits, so a run that goes on makes its
    start again.

    Args:
        weights: the start, in template order.
        examples: pooled before round 1, or public.
        config: epochs, and everything else as for fine-tuning.
        trainer: the server's.
    """
    short = trainer.aside(replace(config, epochs=config.warmup_epochs, callbacks=""))
    trained = short.fit(weights, examples, round_number=0, who=WHO)
    if config.recalibrate:
        trained = trainer.recalibrate(trained, examples, round_number=0, who=WHO)
    return trained
