"""Where a run's data comes from: what all participants see, and what each edge has."""

import copy
from collections.abc import Mapping
from typing import Protocol

from ecavg_tf.config import Config, PartitionKind
from ecavg_tf.config.fields import flatten
from ecavg_tf.config.presence import check_presence
from ecavg_tf.core.errors import ConfigError, DataError
from ecavg_tf.core.numpy_files import read_arrays
from ecavg_tf.core.paths import user_path
from ecavg_tf.data import arrays, tfds_source
from ecavg_tf.data.consent import check_pool_edges
from ecavg_tf.data.dataset import DataSpec, EdgeData, Examples
from ecavg_tf.data.edge_arrays import TEST, EdgeSource, NpzSource
from ecavg_tf.data.edge_sources import FolderSource, is_folder_of_edges, sources_in, sources_of
from ecavg_tf.data.keyed import sources_by_key
from ecavg_tf.data.owned import OwnedData
from ecavg_tf.data.partition import PartitionedData
from ecavg_tf.data.server_data import (
    FIRST_EDGE,
    ServerData,
    read_spec,
    test_set_alone,
)
from ecavg_tf.data.sources import EMBEDDED, is_folder, limited, load_data
from ecavg_tf.data.tables import keyed_arrays, parts_of
from ecavg_tf.forked import check_not_forked
from ecavg_tf.plugins import is_plugin


class FederatedData(Protocol):
    """A data set that lives on edges. Nothing of an edge is made before it is asked for."""

    @property
    def spec(self) -> DataSpec:
        """What the inputs of all edges are."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should read of the data before training."""

    @property
    def test(self) -> Examples:
        """The global test set, or all edges' own; the same object at every call.

        It is empty where a server has no test set, and the edges bring theirs.
        """

    @property
    def edges(self) -> tuple[str, ...]:
        """Names of all edges, in order; none where they come to the server by themselves."""

    def edge(self, name: str) -> EdgeData:
        """What one edge has; only the process where it lives asks."""

    def own_test(self, name: str) -> Examples | None:
        """An edge's own test set; None: it has none."""


def federated_data(config: Config, said: DataSpec | None = None) -> FederatedData:
    """The data of a run.

    Args:
        config: a validated config.
        said: what the data was said to be, for a server without training data.

    Raises:
        DataError: the data set is not there, or can't be dealt out.
        ConfigError: a user's function is not there, or an edge that is to pool.
    """
    check_not_forked()
    if config.data.spec and said is None:
        if config.data.spec == FIRST_EDGE:
            raise DataError("no edge has said yet what its data is (data.spec=first-edge)")
        said = read_spec(config.data.spec)
    if said is not None and config.data.name in ("", EMBEDDED):
        return ServerData(said)
    data = _data(config, said)
    if not data.edges:
        return data
    if said is not None:
        raise ConfigError(
            f"data.spec is for a server without training data, data.name={config.data.name!r} has "
            "some; leave data.spec out, or give a test set alone (x_test and y_test)"
        )
    check_pool_edges(config.server, data.edges)
    check_presence(config.fleet.presence, data.edges)
    if config.edges_per_round > len(data.edges):
        raise ConfigError(
            f"edges_per_round is {config.edges_per_round}, but there are {len(data.edges)} edges"
        )
    return data


def counted(config: Config, data: FederatedData) -> Config:
    """A config whose ``partition.num_edges`` is how many edges there are, if that is known."""
    if config.partition.num_edges == len(data.edges) or not data.edges:
        return config
    changed = copy.deepcopy(config)
    changed.partition.num_edges = len(data.edges)
    return changed


def _data(config: Config, said: DataSpec | None) -> FederatedData:
    name, partition = config.data.name, config.partition
    given = arrays.call_function(name) if is_plugin(name) else None
    if isinstance(given, Mapping):
        found = sources_of(f"data.name={name!r}", given)
        return _by_edge(config, name.partition(":")[2], found, said)
    may_be_folder = given is None and name != EMBEDDED and not name.endswith(".npz")
    if may_be_folder and is_folder_of_edges(user_path(name)):
        folder = user_path(name)
        data = config.data
        found = sources_in(folder, data.image_size, data.channels, data.label_column)
        return _by_edge(config, folder.resolve().name, found, said)
    if given is None and (alone := _test_alone(config)) is not None:
        return test_set_alone(user_path(name).stem, alone, said)
    if partition.kind is PartitionKind.KEY:
        return _keyed(config)
    if given is None:
        dataset = load_data(config.data, config.seed)
    else:
        dataset = limited(arrays.dataset_of(name, given), config.data, config.seed)
    return PartitionedData(dataset, partition, config.seed)


def _by_edge(
    config: Config, name: str, sources: Mapping[str, EdgeSource], said: DataSpec | None
) -> FederatedData:
    if set(sources) == {TEST}:
        return test_set_alone(name, sources[TEST], said)
    return _owned(config, name, sources)


def _test_alone(config: Config) -> EdgeSource | None:
    """The test set of a file or folder that has nothing else; None: it is another one."""
    path = user_path(config.data.name)
    if path.suffix == ".npz" and path.is_file():
        source = NpzSource(path)
        return source if "x_test" in source.names and "x_train" not in source.names else None
    folders = [item for item in path.iterdir() if item.is_dir()] if path.is_dir() else []
    if [item.name for item in folders] != [TEST] or not any(
        item.is_dir() for item in folders[0].iterdir()
    ):
        return None
    return FolderSource(path, config.data.image_size, config.data.channels, {TEST: folders[0]})


def _keyed(config: Config) -> OwnedData:
    data, key = config.data, config.partition.key
    if data.name.endswith(".npz"):
        path = user_path(data.name)
        if not path.is_file():
            raise DataError(f"data.name: file {str(path)!r} is not there")
        return _owned(config, path.stem, sources_by_key(str(path), key, read_arrays(path)))
    if data.name != EMBEDDED and parts_of(user_path(data.name)):
        path = user_path(data.name)
        arrays = keyed_arrays(path, data.label_column, key)
        return _owned(config, path.stem, sources_by_key(str(path), key, arrays))
    if data.name == EMBEDDED or is_plugin(data.name) or is_folder(data.name):
        raise ConfigError(
            "partition.kind=key needs an .npz or .csv file or a TFDS data set; data.name is "
            f"{data.name!r}"
        )
    loaded = tfds_source.load_by_key(data.name, data.data_dir, data.image_size, data.channels, key)
    return _owned(config, data.name, sources_by_key(f"TFDS data set {data.name!r}", key, loaded))


_DEALING = ("kind", "num_edges", "alpha", "shards_per_edge", "min_examples")
_UNUSED = (*(f"partition.{name}" for name in _DEALING), "data.train_examples", "data.test_examples")


def _owned(config: Config, name: str, sources: Mapping[str, EdgeSource]) -> OwnedData:
    data = OwnedData(name, sources, config.partition.guard_fraction, config.seed)
    defaults = dict(flatten(Config()))
    used = ("partition.kind",) if config.partition.kind is PartitionKind.KEY else ()
    unused = [
        field
        for field, value in flatten(config)
        if field in _UNUSED and field not in used and value != defaults[field]
    ]
    if unused:
        data.notes += (
            f"the data says which edge has what ({len(data.edges)} edges): "
            f"{', '.join(unused)} {'is' if len(unused) == 1 else 'are'} not used",
        )
    return data
