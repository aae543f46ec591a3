"""The learning rate of the server's fine-tuning."""

from collections.abc import Sequence
from dataclasses import replace

from ecavg_tf.config import PoolRate, ServerConfig
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.schedules import pool_factor


def for_pool(config: ServerConfig, pooled: int, updates: Sequence[Update]) -> ServerConfig:
    """The settings with the learning rate that ``server.rate_for_pool`` says.

    Args:
        config: the server's part of the config.
        pooled: how many examples it trains on.
        updates: what was averaged; they say how many examples the edges trained on.
    """
    return for_share(config, pooled, sum(update.info.examples for update in updates))


def for_share(config: ServerConfig, pooled: int, examples: int) -> ServerConfig:
    """The same, where the number of examples that the edges trained on is known."""
    if config.rate_for_pool is PoolRate.AS_GIVEN:
        return config
    factor = pool_factor(pooled, examples)
    return replace(config, learning_rate=config.learning_rate * factor)
