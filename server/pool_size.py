"""What the server's fine-tuning takes from the size of the pool."""

from collections.abc import Sequence
from dataclasses import replace

from ecavg_tf.config import PoolEpochs, PoolRate, ServerConfig
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.schedules import pool_epochs, pool_factor


def for_pool(config: ServerConfig, pooled: int, updates: Sequence[Update]) -> ServerConfig:
    """The settings that ``server.rate_for_pool`` and ``server.epochs_for_pool`` make of the config.

    Args:
        config: the server's part of the config.
        pooled: how many examples it trains on.
        updates: what was averaged; they say how many examples the edges trained on, as far as
            the server believes it.
    """
    return for_share(config, pooled, round(sum(update.credit for update in updates)))


def for_share(config: ServerConfig, pooled: int, examples: int) -> ServerConfig:
    """The same, where the number of examples that the edges trained on is known."""
    if config.rate_for_pool is PoolRate.ROOT:
        factor = pool_factor(pooled, examples)
        config = replace(config, learning_rate=config.learning_rate * factor)
    if config.epochs_for_pool is PoolEpochs.FULL:
        config = replace(config, epochs=pool_epochs(config.epochs, pooled, examples))
    return config
