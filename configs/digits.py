"""Quickstart: two edges with the digits 0-4 and 5-9, one round, embedded data.

ecavg run --config=configs/digits.py --workdir=runs/digits
"""

from ecavg_tf.config import Config, PartitionKind


def get_config() -> Config:
    """scikit-learn's 1,797 digits, class-disjoint."""
    config = Config()
    config.partition.kind = PartitionKind.CLASSES
    config.edge.epochs = 10
    config.server.epochs = 10
    return config
