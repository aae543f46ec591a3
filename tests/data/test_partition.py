"""Partitions: every example lands exactly once, and nobody's guard set is trained on."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecavg_tf.config import PartitionConfig, PartitionKind
from ecavg_tf.core.errors import DataError
from ecavg_tf.data.dataset import Dataset, DataSpec, EdgeData, Examples, stratified
from ecavg_tf.data.partition import PartitionedData, edge_names

IID, CLASSES = PartitionKind.IID, PartitionKind.CLASSES
FRACTIONS = st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9, 0.99])


def dataset(labels: list[int] | NDArray[np.int64], num_classes: int) -> Dataset:
    """Examples of one pixel, whose value is the example's number."""
    n = len(labels)
    spec = DataSpec(
        "numbered", (1, 1, 1), "int32", (0.0, float(n)), tuple(map(str, range(num_classes)))
    )
    inputs = np.arange(n, dtype=np.int32).reshape(n, 1, 1, 1)
    examples = Examples(inputs, np.asarray(labels, np.int64))
    return Dataset(spec, examples, examples)


def partition_data(data: Dataset, config: PartitionConfig, seed: int) -> tuple[EdgeData, ...]:
    """What all edges get."""
    dealt = PartitionedData(data, config, seed)
    return tuple(dealt.edge(name) for name in dealt.edges)


def balanced(n: int, num_classes: int) -> Dataset:
    return dataset([number * 7 % num_classes for number in range(n)], num_classes)


def numbers(examples: Examples) -> list[int]:
    return [int(number) for number in examples.inputs.ravel()]


def check_dealt_once(data: Dataset, edges: tuple[EdgeData, ...]) -> None:
    dealt = [number for edge in edges for number in numbers(edge.train) + numbers(edge.guard)]
    assert sorted(dealt) == list(range(len(data.train)))
    for edge in edges:
        assert len(edge.train) > 0
        for part in (edge.train, edge.guard):
            np.testing.assert_array_equal(part.labels, data.train.labels[numbers(part)])
            assert part.inputs.shape[1:] == (1, 1, 1)


def config(
    kind: PartitionKind, num_edges: int, guard_fraction: float = 0.2, **others: float
) -> PartitionConfig:
    made = PartitionConfig(kind, num_edges, guard_fraction=guard_fraction)
    for name, value in others.items():
        setattr(made, name, value)
    return made


@settings(deadline=None, max_examples=60)
@given(
    labels=st.lists(st.integers(0, 4), min_size=8, max_size=80),
    num_edges=st.integers(1, 8),
    fraction=FRACTIONS,
    seed=st.integers(0, 1000),
)
def test_iid_deals_every_example_exactly_once(
    labels: list[int], num_edges: int, fraction: float, seed: int
) -> None:
    data = dataset(labels, 5)
    edges = partition_data(data, config(IID, num_edges, fraction), seed)
    assert len(edges) == num_edges
    check_dealt_once(data, edges)
    sizes = [len(edge.train) + len(edge.guard) for edge in edges]
    assert max(sizes) - min(sizes) <= 1


@settings(deadline=None, max_examples=60)
@given(
    labels=st.lists(st.integers(0, 4), max_size=80),
    num_edges=st.integers(1, 5),
    fraction=FRACTIONS,
    seed=st.integers(0, 1000),
)
def test_classes_deals_every_example_exactly_once_and_every_class_to_one_edge(
    labels: list[int], num_edges: int, fraction: float, seed: int
) -> None:
    data = dataset([0, 1, 2, 3, 4, *labels], 5)
    edges = partition_data(data, config(CLASSES, num_edges, fraction), seed)
    check_dealt_once(data, edges)
    owned = [set(edge.train.labels.tolist() + edge.guard.labels.tolist()) for edge in edges]
    assert sorted(label for labels_of_edge in owned for label in labels_of_edge) == [0, 1, 2, 3, 4]


@settings(deadline=None, max_examples=40)
@given(
    labels=st.lists(st.integers(0, 4), min_size=24, max_size=80),
    num_edges=st.integers(1, 6),
    shards_per_edge=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_shards_deals_every_example_exactly_once(
    labels: list[int], num_edges: int, shards_per_edge: int, seed: int
) -> None:
    data = dataset(labels, 5)
    made = config(PartitionKind.SHARDS, num_edges, shards_per_edge=shards_per_edge)
    check_dealt_once(data, partition_data(data, made, seed))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("alpha", [0.1, 0.5, 100.0])
def test_dirichlet_deals_every_example_exactly_once_and_starves_nobody(
    alpha: float, seed: int
) -> None:
    data = balanced(400, 10)
    made = config(PartitionKind.DIRICHLET, 4, alpha=alpha, min_examples=10)
    edges = partition_data(data, made, seed)
    check_dealt_once(data, edges)
    assert min(len(edge.train) + len(edge.guard) for edge in edges) >= 10


@pytest.mark.parametrize("kind", [kind for kind in PartitionKind if kind is not PartitionKind.KEY])
def test_the_same_seed_gives_the_same_edges(kind: PartitionKind) -> None:
    data = balanced(200, 10)
    first, again = (partition_data(data, config(kind, 3), 5) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert one.edge == other.edge
        assert numbers(one.train) == numbers(other.train)
        assert numbers(one.guard) == numbers(other.guard)


@pytest.mark.parametrize("kind", [kind for kind in PartitionKind if kind is not PartitionKind.KEY])
def test_another_seed_gives_other_guard_sets(kind: PartitionKind) -> None:
    data = balanced(200, 10)
    one, other = (partition_data(data, config(kind, 3), seed) for seed in (5, 6))
    assert numbers(one[0].guard) != numbers(other[0].guard)


def test_another_seed_deals_iid_shares_anew() -> None:
    data = balanced(60, 3)
    one, other = (partition_data(data, config(IID, 2, 0.0), seed) for seed in (5, 6))
    assert numbers(one[0].train) != numbers(other[0].train)


def test_iid_shares_are_shuffled_not_neighbours() -> None:
    edges = partition_data(balanced(60, 3), config(IID, 2, 0.0), 0)
    assert numbers(edges[0].train) != list(range(30))


def test_classes_gives_neighbouring_classes_in_equal_groups() -> None:
    edges = partition_data(balanced(100, 10), config(CLASSES, 4, 0.0), 0)
    owned = [sorted(set(edge.train.labels.tolist())) for edge in edges]
    assert owned == [[0, 1, 2], [3, 4, 5], [6, 7], [8, 9]]


@pytest.mark.parametrize("kind", [IID, CLASSES])
def test_the_guard_set_has_the_label_mix_of_its_edge(kind: PartitionKind) -> None:
    labels = [0] * 70 + [1] * 40 + [2] * 25 + [3] * 10
    for edge in partition_data(dataset(labels, 4), config(kind, 2, 0.3), 1):
        train = np.asarray(edge.train.class_counts(4))
        guard = np.asarray(edge.guard.class_counts(4))
        share = len(edge.guard) / (len(edge.train) + len(edge.guard))
        assert abs(share - 0.3) < 0.02
        assert np.all(np.abs(guard - share * (train + guard)) < 1)


def test_without_a_guard_fraction_nothing_is_held_out() -> None:
    edges = partition_data(balanced(20, 2), config(IID, 2, 0.0), 0)
    assert [len(edge.guard) for edge in edges] == [0, 0]
    assert [len(edge.train) for edge in edges] == [10, 10]


def test_the_data_set_is_not_changed_nor_shared() -> None:
    data = balanced(20, 2)
    edges = partition_data(data, config(IID, 2), 0)
    edges[0].train.inputs[:] = -1
    edges[0].guard.labels[:] = -1
    assert numbers(data.train) == list(range(20))
    assert data.train.labels.min() == 0


@pytest.mark.parametrize("kind", [IID, CLASSES, PartitionKind.SHARDS, PartitionKind.DIRICHLET])
@pytest.mark.parametrize("edges", [6, 2**62])
def test_more_edges_than_examples_are_refused(kind: PartitionKind, edges: int) -> None:
    made = config(kind, edges, shards_per_edge=1, min_examples=1)
    with pytest.raises(DataError, match=rf"\b{edges}\b.* \b5\b"):  # and at once
        partition_data(dataset([0, 1, 2, 0, 1], 3), made, 0)


def test_more_edges_than_classes_are_refused_for_classes() -> None:
    with pytest.raises(DataError, match=r"4 edges, 3 classes.*num_edges"):
        partition_data(balanced(60, 3), config(CLASSES, 4), 0)


def test_an_edge_whose_classes_have_no_example_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="edge-01 would get no training example"):
        partition_data(dataset([0, 0, 0, 0], 2), config(CLASSES, 2), 0)


def test_a_data_set_without_examples_is_refused() -> None:
    with pytest.raises(DataError):
        partition_data(dataset([], 2), config(IID, 1), 0)


def test_a_dirichlet_draw_that_always_starves_an_edge_is_refused_with_advice() -> None:
    made = config(PartitionKind.DIRICHLET, 10, alpha=0.01, min_examples=9)
    with pytest.raises(DataError, match=r"partition\.alpha"):
        partition_data(balanced(100, 2), made, 0)


@pytest.mark.parametrize("num_edges", [1, 2, 10, 11, 100, 101, 1001])
def test_the_order_of_edge_names_is_that_of_their_numbers(num_edges: int) -> None:
    names = edge_names(num_edges)
    assert len(set(names)) == num_edges
    assert sorted(names) == list(names)
    assert [int(name.removeprefix("edge-")) for name in names] == list(range(num_edges))


def test_edge_names_have_two_digits_until_they_need_more() -> None:
    assert edge_names(2) == ("edge-00", "edge-01")
    assert edge_names(100)[-1] == "edge-99"
    assert edge_names(101)[0] == "edge-000"


@pytest.mark.parametrize(
    ("available", "count", "expected"),
    [
        # exact shares 2.5, 1.5, 1: the half goes to the lower label of equal remainders
        ((5, 3, 2), 5, (3, 1, 1)),
        # exact shares 1.5, 0.9, 0.6: two go to the largest remainders, 0.9 and 0.6
        ((5, 3, 2), 3, (1, 1, 1)),
        # exact shares 0.5, 0.3, 0.2
        ((5, 3, 2), 1, (1, 0, 0)),
        ((5, 3, 2), 0, (0, 0, 0)),
        ((5, 3, 2), 10, (5, 3, 2)),
        # a label without examples gets none
        ((4, 0, 4), 2, (1, 0, 1)),
        ((4, 0, 4), 3, (2, 0, 1)),
        # exact shares 4/3, 1/3, 1/3: equal remainders again
        ((4, 1, 1), 2, (2, 0, 0)),
        # exact shares 7/3, 4/3, 1/3
        ((7, 4, 1), 4, (3, 1, 0)),
        # exact shares 0.1 in 10 classes, 3 to give: the three lowest labels
        ((1,) * 10, 3, (1, 1, 1, 0, 0, 0, 0, 0, 0, 0)),
    ],
)
def test_stratified_quotas_by_hand(
    available: tuple[int, ...], count: int, expected: tuple[int, ...]
) -> None:
    labels = np.repeat(np.arange(len(available)), available).astype(np.int64)
    drawn = stratified(labels, count, 0, "test")
    counted = np.bincount(labels[drawn], minlength=len(available))
    assert tuple(counted.tolist()) == expected


@settings(deadline=None, max_examples=100)
@given(labels=st.lists(st.integers(0, 6), max_size=60), data=st.data())
def test_a_stratified_draw_keeps_the_label_mix(labels: list[int], data: st.DataObject) -> None:
    count = data.draw(st.integers(0, len(labels)))
    array = np.asarray(labels, np.int64)
    drawn = stratified(array, count, 3, "place")
    assert drawn.dtype == np.int64
    assert len(drawn) == count
    assert np.all(np.diff(drawn) > 0)
    chosen = Counter(array[drawn].tolist())
    for label, available in Counter(labels).items():
        assert abs(chosen[label] - available * count / len(labels)) < 1


def test_a_stratified_draw_depends_on_seed_and_place() -> None:
    labels = np.zeros(100, np.int64)
    first = stratified(labels, 10, 0, "a").tolist()
    assert stratified(labels, 10, 0, "a").tolist() == first
    assert stratified(labels, 10, 0, "b").tolist() != first
    assert stratified(labels, 10, 1, "a").tolist() != first


@pytest.mark.parametrize("count", [-1, 4])
def test_a_draw_of_more_than_there_is_or_less_than_none_is_refused(count: int) -> None:
    with pytest.raises(DataError, match=f"{count} examples were asked for, the data has 3"):
        stratified(np.zeros(3, np.int64), count, 0)
