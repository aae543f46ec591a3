"""Checks names in a config that only edge, server and models know, by their registries."""

from ecavg_tf.config import Config
from ecavg_tf.plugins import check_name
from edge.deciding.policies import POLICIES
from server.combine import COMBINES


def check_names(config: Config) -> None:
    """Finds a misspelt rule or policy before anything is loaded or written.

    Raises:
        ConfigError: a name is neither in its registry nor that of a user's function.
    """
    check_name("server.combine", config.server.combine, COMBINES)
    check_name("update.policy", config.update.policy, POLICIES)
