"""The guard's level of one decision."""

from ecavg_tf.config.choices import LevelFor
from ecavg_tf.config.sections import Config


def decision_level(config: Config) -> float:
    """The level of one decision: ``update.level`` divided over what it is the level of.

    By the union bound (Bonferroni), the chance that any of the decisions is wrong is at
    most their sum.
    """
    shares = {
        LevelFor.DECISION: 1,
        LevelFor.EDGE: config.rounds,
        LevelFor.RUN: config.rounds * config.partition.num_edges,
    }
    return config.update.level / shares[config.update.level_for]
