"""Where a run's data comes from: what all participants see, and what each edge has."""

from typing import Protocol

from ecavg_tf.config import Config
from ecavg_tf.data.consent import check_pool_edges
from ecavg_tf.data.dataset import DataSpec, EdgeData, Examples
from ecavg_tf.data.partition import PartitionedData
from ecavg_tf.data.sources import load_data


class FederatedData(Protocol):
    """A data set that lives on edges. Nothing of an edge is made before it is asked for."""

    @property
    def spec(self) -> DataSpec:
        """What the images of all edges are."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should read of the data before training."""

    @property
    def test(self) -> Examples:
        """The global test set; the same object at every call."""

    @property
    def edges(self) -> tuple[str, ...]:
        """Names of all edges, in order."""

    def edge(self, name: str) -> EdgeData:
        """What one edge has; only the process where it lives asks."""


def federated_data(config: Config) -> FederatedData:
    """The data of a run.

    Args:
        config: a validated config.

    Raises:
        DataError: the data set is not there, or can't be dealt out.
        ConfigError: a user's function is not there, or an edge that is to pool.
    """
    data = PartitionedData(load_data(config.data, config.seed), config.partition, config.seed)
    check_pool_edges(config.server, data.edges)
    return data
