"""Averaging update files on the server: hand-computed numbers."""

from pathlib import Path

import numpy as np
import pytest

from ecavg_tf.config import Weighting
from ecavg_tf.core.messages.update_file import Update, UpdateInfo, write_update
from ecavg_tf.core.template import Array, Role, Template, WeightSpec
from server.aggregate import average_updates, combine_statistics, weighed

TEMPLATE = Template(
    (
        WeightSpec("kernel", (2,), "float32", Role.TRAINABLE),
        WeightSpec("mean", (1,), "float32", Role.STATISTIC, omittable=True),
        WeightSpec("variance", (1,), "float32", Role.STATISTIC, omittable=True),
        WeightSpec("scale", (), "float16", Role.TRAINABLE, omittable=True),
        WeightSpec("seed", (2,), "uint32", Role.STATE, omittable=True),
    )
)
MOMENTS = [(1, 2)]


def base() -> list[Array]:
    return [
        np.array([100.0, 100.0], np.float32),
        np.array([50.0], np.float32),
        np.array([60.0], np.float32),
        np.array(70.0, np.float16),
        np.array([8, 9], np.uint32),
    ]


def update(folder: Path, edge: str, examples: int, **values: float | list[float]) -> Update:
    """An update with the values given; what is not given is omitted."""
    dtypes = {spec.key: spec.dtype for spec in TEMPLATE.weights}
    weights = {key: np.array(value, dtypes[key]) for key, value in values.items()}
    info = UpdateInfo(1, edge, examples, (examples,), TEMPLATE.sha256, {})
    path = folder / f"{edge}.safetensors"
    write_update(path, info, weights)
    return Update(path)


def two_updates(folder: Path) -> list[Update]:
    return [
        update(folder, "a", 3, kernel=[0.0, 4.0], mean=[1.0], variance=[2.0], scale=8.0),
        update(folder, "b", 1, kernel=[8.0, 0.0], mean=[5.0], variance=[6.0], scale=0.0),
    ]


def test_an_update_weighs_its_examples_or_one(tmp_path: Path) -> None:
    one = update(tmp_path, "a", 7, kernel=[0.0, 0.0])
    assert weighed([one], Weighting.EXAMPLES) == [7.0]
    assert weighed([one], Weighting.UNIFORM) == [1.0]


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([3.0, 1.0], [[2.0, 3.0], [2.0], [3.0], 6.0]),
        ([1.0, 1.0], [[4.0, 2.0], [3.0], [4.0], 4.0]),
    ],
)
def test_updates_are_averaged_by_hand(
    tmp_path: Path, shares: list[float], expected: list[list[float] | float]
) -> None:
    averaged = average_updates(two_updates(tmp_path), TEMPLATE, base(), shares)
    for array, numbers in zip(averaged[:4], expected, strict=True):
        np.testing.assert_array_equal(array, numbers)


def test_the_average_has_the_template_s_shapes_and_dtypes(tmp_path: Path) -> None:
    averaged = average_updates(two_updates(tmp_path), TEMPLATE, base(), [3.0, 1.0])
    for spec, array in zip(TEMPLATE.weights, averaged, strict=True):
        assert isinstance(array, np.ndarray)
        assert (array.shape, array.dtype.name) == (spec.shape, spec.dtype)


def test_a_single_update_comes_back_to_the_bit(tmp_path: Path) -> None:
    values = np.array([0.1, 1e-30], np.float32)
    one = update(tmp_path, "a", 3, kernel=values.tolist())
    averaged = average_updates([one], TEMPLATE, base(), [3.0])
    assert averaged[0].tobytes() == values.tobytes()


def test_what_some_omit_is_averaged_over_those_that_sent_it(tmp_path: Path) -> None:
    updates = [
        update(tmp_path, "a", 3, kernel=[0.0, 0.0], mean=[2.0]),
        update(tmp_path, "b", 4, kernel=[7.0, 7.0]),
        update(tmp_path, "c", 1, kernel=[0.0, 8.0], mean=[6.0]),
    ]
    averaged = average_updates(updates, TEMPLATE, base(), [3.0, 4.0, 1.0])
    np.testing.assert_array_equal(averaged[0], [3.5, 4.5])
    np.testing.assert_array_equal(averaged[1], [3.0])


def test_what_nobody_sent_keeps_its_value(tmp_path: Path) -> None:
    updates = [update(tmp_path, "a", 3, kernel=[1.0, 1.0])]
    averaged = average_updates(updates, TEMPLATE, base(), [3.0])
    for position in (1, 2, 3, 4):
        np.testing.assert_array_equal(averaged[position], base()[position])


def test_state_keeps_the_base_s_value_though_edges_send_theirs(tmp_path: Path) -> None:
    updates = [
        update(tmp_path, "a", 3, kernel=[1.0, 1.0], seed=[1, 1]),
        update(tmp_path, "b", 3, kernel=[1.0, 1.0], seed=[3, 3]),
    ]
    averaged = average_updates(updates, TEMPLATE, base(), [3.0, 3.0])
    np.testing.assert_array_equal(averaged[4], [8, 9])
    assert averaged[4].dtype == np.uint32


def test_the_base_is_not_changed_nor_shared(tmp_path: Path) -> None:
    given = base()
    for array in average_updates(two_updates(tmp_path), TEMPLATE, given, [3.0, 1.0]):
        array += 1
    for array, expected in zip(given, base(), strict=True):
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize(
    ("shares", "mean", "variance"),
    [
        # shares 3/4, 1/4: mean 2; within 3/4·2 + 1/4·6 = 3; between 3/4·1 + 1/4·9 = 3
        ([3.0, 1.0], 2.0, 6.0),
        # shares 1/2: mean 3; within 4; between 4
        ([0.5, 0.5], 3.0, 8.0),
    ],
)
def test_statistics_are_combined_by_hand(
    tmp_path: Path, shares: list[float], mean: float, variance: float
) -> None:
    updates = two_updates(tmp_path)
    averaged = average_updates(updates, TEMPLATE, base(), shares)
    combined = combine_statistics(averaged, updates, TEMPLATE, MOMENTS, shares)
    assert combined[1] == [mean]
    assert combined[2] == [variance]
    assert [array.dtype.name for array in combined[1:3]] == ["float32", "float32"]


def test_combining_statistics_leaves_all_else_and_its_input(tmp_path: Path) -> None:
    updates = two_updates(tmp_path)
    averaged = average_updates(updates, TEMPLATE, base(), [3.0, 1.0])
    before = [array.copy() for array in averaged]
    combined = combine_statistics(averaged, updates, TEMPLATE, MOMENTS, [3.0, 1.0])
    for array, old in zip(averaged, before, strict=True):
        np.testing.assert_array_equal(array, old)
    for position in (0, 3, 4):
        np.testing.assert_array_equal(combined[position], averaged[position])


def test_statistics_come_from_those_that_sent_both(tmp_path: Path) -> None:
    updates = [
        *two_updates(tmp_path),
        update(tmp_path, "c", 100, kernel=[0.0, 0.0]),
        update(tmp_path, "d", 100, kernel=[0.0, 0.0], mean=[1e6]),
    ]
    combined = combine_statistics(base(), updates, TEMPLATE, MOMENTS, [3.0, 1.0, 100.0, 100.0])
    assert combined[1] == [2.0]
    assert combined[2] == [6.0]


def test_statistics_that_nobody_sent_stay(tmp_path: Path) -> None:
    updates = [update(tmp_path, "a", 3, kernel=[1.0, 1.0])]
    combined = combine_statistics(base(), updates, TEMPLATE, MOMENTS, [3.0])
    assert combined[1] == [50.0]
    assert combined[2] == [60.0]


def test_a_model_without_batchnorm_is_left_as_it_is(tmp_path: Path) -> None:
    averaged = base()
    combined = combine_statistics(averaged, two_updates(tmp_path), TEMPLATE, [], [3.0, 1.0])
    assert all(one is other for one, other in zip(combined, averaged, strict=True))


def test_an_update_that_weighs_nothing_adds_nothing_to_the_statistics(tmp_path: Path) -> None:
    combined = combine_statistics(base(), two_updates(tmp_path), TEMPLATE, MOMENTS, [0.0, 2.0])
    assert combined[1] == [5.0]
    assert combined[2] == [6.0]
