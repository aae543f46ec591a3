"""Quickstart: four edges with unequal shares of small digits, two rounds, embedded data.

ecavg run --config=configs/digits.py --workdir=runs/digits
"""

from ecavg_tf.config import Config, PartitionKind


def get_config() -> Config:
    """scikit-learn's 1,797 digits; each edge has more of some classes, and pools a fifth."""
    config = Config()
    config.rounds = 2
    config.partition.num_edges = 4
    config.partition.kind = PartitionKind.DIRICHLET
    config.partition.alpha = 0.2
    config.edge.epochs = 10
    config.server.epochs = 10
    config.server.pool_fraction = 0.2
    config.baseline.alone = True
    config.export.enabled = True
    return config
