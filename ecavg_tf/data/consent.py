"""Which of its training examples an edge agreed to upload."""

import math

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.config import Config, ServerConfig
from ecavg_tf.config.checks import one_of
from ecavg_tf.data.dataset import Examples, stratified


def _named(config: ServerConfig) -> list[str]:
    return [name.strip() for name in config.pool_edges.split(",") if name.strip()]


def check_pool_edges(config: ServerConfig, edges: tuple[str, ...]) -> None:
    """Checks that the edges that are to pool are there.

    Raises:
        ConfigError: there is no edge of a name.
    """
    for name in _named(config):
        one_of("server.pool_edges", name, edges)


def consenting(config: ServerConfig, edge: str) -> bool:
    """Whether an edge uploads data at all."""
    named = _named(config)
    return config.pool and (not named or edge in named)


def consented_count(config: ServerConfig, edge: str, examples: Examples) -> int:
    """How many of its training examples an edge uploads, by consent, share and byte budget."""
    if not consenting(config, edge):
        return 0
    each, share = examples.inputs[:1].nbytes, most_pooled(config, len(examples))
    return min(share, config.pool_bytes // each) if config.pool_bytes else share


def most_pooled(config: ServerConfig, examples: int) -> int:
    """How many of so many examples ``server.pool_fraction`` lets an edge upload."""
    return math.ceil(config.pool_fraction * examples - 1e-9)


def consented(examples: Examples, edge: str, config: Config) -> Examples | None:
    """The examples that an edge uploads: all, a stratified part of them, or none (None)."""
    which = which_consented(examples, edge, config)
    if len(which) == len(examples):
        return examples
    return examples.take(which) if len(which) else None


def which_consented(examples: Examples, edge: str, config: Config) -> NDArray[np.int64]:
    """Positions of the examples that an edge uploads, shape (count,)."""
    count = consented_count(config.server, edge, examples)
    if count == len(examples):
        return np.arange(count)
    return stratified(examples.labels, count, config.seed, "pool", edge)
