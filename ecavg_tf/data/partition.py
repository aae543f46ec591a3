"""Partitions: who has what. A new kind is a function in ``_KINDS``."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.config import PartitionConfig, PartitionKind
from ecavg_tf.core.errors import DataError
from ecavg_tf.core.seeds import permutation
from ecavg_tf.data.dataset import Dataset, Examples, stratified

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class EdgeData:
    """What one edge has.

    Attributes:
        edge: its name.
        train: what it trains on, and may upload.
        guard: what it holds out and never uploads.
    """

    edge: str
    train: Examples
    guard: Examples


def edge_names(num_edges: int) -> tuple[str, ...]:
    """``edge-00``, ``edge-01``, …; wide enough that their order is the numbers' order."""
    width = max(2, len(str(num_edges - 1)))
    return tuple(f"edge-{number:0{width}d}" for number in range(num_edges))


def partition_data(dataset: Dataset, config: PartitionConfig, seed: int) -> tuple[EdgeData, ...]:
    """Deals the training examples out to the edges.

    Args:
        dataset: the data set.
        config: kind, number of edges, guard fraction.
        seed: the run's seed.

    Returns:
        One ``EdgeData`` an edge, in the order of their names.

    Raises:
        DataError: there are more edges than the data can serve.
    """
    labels = dataset.train.labels
    shares = _KINDS[config.kind](labels, dataset.spec.num_classes, config, seed)
    edges = []
    for name, share in zip(edge_names(config.num_edges), shares, strict=True):
        examples = dataset.train.take(np.sort(share))
        held_out = stratified(
            examples.labels, int(len(share) * config.guard_fraction), seed, "guard", name
        )
        kept = np.setdiff1d(np.arange(len(examples)), held_out)
        if len(kept) == 0:
            raise DataError(
                f"{name} would get no training example: {len(labels)} examples for "
                f"{config.num_edges} edges; lower partition.num_edges"
            )
        edges.append(EdgeData(name, examples.take(kept), examples.take(held_out)))
    return tuple(edges)


def _iid(labels: Indices, num_classes: int, config: PartitionConfig, seed: int) -> list[Indices]:
    """Every edge an equal share of the shuffled examples."""
    del num_classes
    if config.num_edges > len(labels):
        raise DataError(
            f"partition.num_edges is {config.num_edges}, there are {len(labels)} examples"
        )
    return np.array_split(permutation(len(labels), seed, "partition", "iid"), config.num_edges)


def _classes(
    labels: Indices, num_classes: int, config: PartitionConfig, seed: int
) -> list[Indices]:
    """Class-disjoint edges: neighbouring classes in equal groups, edge-00 the first."""
    del seed
    if config.num_edges > num_classes:
        raise DataError(
            f"partition.kind=classes gives every edge classes of its own: {config.num_edges} "
            f"edges, {num_classes} classes; lower partition.num_edges or use iid"
        )
    groups = np.array_split(np.arange(num_classes), config.num_edges)
    return [np.flatnonzero(np.isin(labels, group)) for group in groups]


_KINDS: dict[PartitionKind, Callable[[Indices, int, PartitionConfig, int], list[Indices]]] = {
    PartitionKind.IID: _iid,
    PartitionKind.CLASSES: _classes,
}
