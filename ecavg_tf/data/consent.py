"""Which of its training examples an edge agreed to upload."""

from ecavg_tf.config import Config, ServerConfig
from ecavg_tf.data.dataset import Examples, stratified


def consenting(config: ServerConfig, edge: str) -> bool:
    """Whether an edge uploads data at all."""
    if not config.pool:
        return False
    names = [name.strip() for name in config.pool_edges.split(",") if name.strip()]
    return not names or edge in names


def consented_count(config: ServerConfig, edge: str, examples: int, bytes_each: int) -> int:
    """How many of its examples an edge uploads.

    Args:
        config: consent and byte budget.
        edge: name of the edge.
        examples: size of its train set.
        bytes_each: bytes of one image.
    """
    if not consenting(config, edge):
        return 0
    return min(examples, config.pool_bytes // bytes_each) if config.pool_bytes else examples


def consented(examples: Examples, edge: str, config: Config) -> Examples | None:
    """The examples that an edge uploads: all, a stratified part of them, or none (None)."""
    each = examples.images[:1].nbytes
    count = consented_count(config.server, edge, len(examples), each)
    if count == 0:
        return None
    if count == len(examples):
        return examples
    return examples.take(stratified(examples.labels, count, config.seed, "pool", edge))
