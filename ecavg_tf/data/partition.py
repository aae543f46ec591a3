"""Partitions: which edge has which examples. A new kind is a function in ``_KINDS``."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from ecavg_tf.config import PartitionConfig, PartitionKind
from ecavg_tf.core.errors import DataError
from ecavg_tf.core.seeds import permutation, uniforms
from ecavg_tf.data.dataset import Dataset, EdgeData, Examples, split_off_guard

Indices = NDArray[np.int64]


def edge_names(num_edges: int) -> tuple[str, ...]:
    """``edge-00``, ``edge-01``, …; wide enough that their order is the numbers' order."""
    width = max(2, len(str(num_edges - 1)))
    return tuple(f"edge-{number:0{width}d}" for number in range(num_edges))


class PartitionedData:
    """A data set dealt out to simulated edges: who has what is settled at once, by index.

    Args:
        dataset: the data set.
        config: kind, number of edges, guard fraction.
        seed: the run's seed.

    Attributes:
        spec: what the inputs are.
        test: the data set's test set.
        edges: the edges' names, in order.

    Raises:
        DataError: there are more edges than the data can serve.
    """

    def __init__(self, dataset: Dataset, config: PartitionConfig, seed: int) -> None:
        self.spec, self.test, self.notes = dataset.spec, dataset.test, dataset.notes
        labels = dataset.train.labels
        if config.num_edges > len(labels):
            raise DataError(
                f"partition.num_edges is {config.num_edges}, there are {len(labels)} examples"
            )
        self.edges = edge_names(config.num_edges)
        self._train = dataset.train
        self._guard_fraction, self._seed = config.guard_fraction, seed
        shares = _KINDS[config.kind](labels, dataset.spec.num_classes, config, seed)
        self._shares = dict(zip(self.edges, shares, strict=True))
        self._made: dict[str, EdgeData] = {}
        empty = next((name for name, share in self._shares.items() if len(share) == 0), None)
        if empty is not None:
            raise DataError(
                f"{empty} would get no training example: {len(labels)} examples for "
                f"{config.num_edges} edges; lower partition.num_edges"
            )

    def edge(self, name: str) -> EdgeData:
        """A copy of an edge's share, divided into train and guard set; made once."""
        if name not in self._made:
            share = self._train.take(np.sort(self._shares[name]))
            self._made[name] = split_off_guard(name, share, self._guard_fraction, self._seed)
        return self._made[name]

    def own_test(self, name: str) -> Examples | None:
        """None: a share of a data set has no test set of its own."""
        del name
        return None


def _iid(labels: Indices, num_classes: int, config: PartitionConfig, seed: int) -> list[Indices]:
    """Every edge an equal share of the shuffled examples."""
    del num_classes
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


_DRAWS = 100


def _dirichlet(
    labels: Indices, num_classes: int, config: PartitionConfig, seed: int
) -> list[Indices]:
    """Each class is dealt out in proportions drawn from Dir(alpha) over the edges.

    The scheme of Yurochkin et al. (arXiv 1905.12022) and Hsu et al. (arXiv 1909.06335).
    A draw that starves an edge is drawn again.
    """
    if config.num_edges * config.min_examples > len(labels):
        raise DataError(
            f"{config.num_edges} edges with partition.min_examples={config.min_examples} need "
            f"{config.num_edges * config.min_examples} examples, there are {len(labels)}"
        )
    most = 0
    for draw in range(_DRAWS):
        shares = _draw_dirichlet(labels, num_classes, config, seed, draw)
        fewest = min(len(share) for share in shares)
        if fewest >= config.min_examples:
            return shares
        most = max(most, fewest)
    raise DataError(
        f"partition.kind=dirichlet: in {_DRAWS} draws some edge always got {most} examples or "
        f"fewer (partition.min_examples={config.min_examples}); raise partition.alpha, lower "
        "partition.num_edges or min_examples, or use more data"
    )


def _draw_dirichlet(
    labels: Indices, num_classes: int, config: PartitionConfig, seed: int, draw: int
) -> list[Indices]:
    place = ("partition", "dirichlet", draw)
    shares: list[list[Indices]] = [[] for _ in range(config.num_edges)]
    for label in range(num_classes):
        members = np.flatnonzero(labels == label)
        members = members[permutation(len(members), seed, *place, "members", label)]
        # Dirichlet as normalised gammas, by inverse CDF: numpy's own draws may change.
        levels = uniforms(config.num_edges, seed, *place, "proportions", label)
        gammas = gammaincinv(config.alpha, levels)
        if gammas.sum() == 0:  # all underflow: in the limit one edge has everything
            gammas = (levels == levels.max()).astype(np.float64)
        proportions = gammas / gammas.sum()
        cuts = np.round(np.cumsum(proportions)[:-1] * len(members)).astype(np.int64)
        for share, part in zip(shares, np.split(members, cuts), strict=True):
            share.append(part)
    return [np.concatenate(share) for share in shares]


def _shards(labels: Indices, num_classes: int, config: PartitionConfig, seed: int) -> list[Indices]:
    """Sorted by label, cut into equal shards, ``shards_per_edge`` for every edge.

    The pathological non-IID split of FedAvg (arXiv 1602.05629, section 3).
    """
    del num_classes
    count = config.num_edges * config.shards_per_edge
    if count > len(labels):
        raise DataError(f"{count} shards can't be cut from {len(labels)} examples")
    shards = np.array_split(np.argsort(labels, kind="stable"), count)
    dealt = np.array_split(permutation(count, seed, "partition", "shards"), config.num_edges)
    return [np.concatenate([shards[number] for number in numbers]) for numbers in dealt]


_KINDS: dict[PartitionKind, Callable[[Indices, int, PartitionConfig, int], list[Indices]]] = {
    PartitionKind.IID: _iid,
    PartitionKind.CLASSES: _classes,
    PartitionKind.DIRICHLET: _dirichlet,
    PartitionKind.SHARDS: _shards,
}
