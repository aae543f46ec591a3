"""Inputs of any shape, and the range that nobody declared."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecavg_tf.config import DataConfig
from ecavg_tf.core.errors import DataError
from ecavg_tf.data.arrays import shape_of_one
from ecavg_tf.data.checks import check_dataset
from ecavg_tf.data.dataset import Dataset, DataSpec, Examples
from ecavg_tf.data.edge_sources import sources_of
from ecavg_tf.data.owned import OwnedData
from ecavg_tf.data.ranges import measured_range
from ecavg_tf.data.sources import load_data

Y = np.arange(8) % 2


def loaded(folder: Path, train: Any, test: Any = None, **more: Any) -> DataSpec:
    test = train if test is None else test
    np.savez(folder / "mine.npz", x_train=train, y_train=Y, x_test=test, y_test=Y, **more)
    return load_data(DataConfig(name=str(folder / "mine.npz")), 0).spec


@pytest.mark.parametrize(
    ("shape", "dtype", "one"),
    [
        ((8, 30), "float32", (30,)),
        ((8, 128, 6), "float32", (128, 6)),
        ((8, 100, 1), "int16", (100, 1)),
        ((8, 28, 28), "float32", (28, 28, 1)),
        ((8, 128, 6), "uint8", (128, 6, 1)),
        ((8, 100, 40), "float32", (100, 40, 1)),
        ((8, 12, 6), "float32", (12, 6, 1)),
        ((8, 5, 4, 3), "uint8", (5, 4, 3)),
        ((8, 2, 5, 4, 3), "float32", (2, 5, 4, 3)),
    ],
)
def test_what_an_input_is(shape: tuple[int, ...], dtype: str, one: tuple[int, ...]) -> None:
    assert shape_of_one("x", shape, np.dtype(dtype)) == one


@pytest.mark.parametrize("shape", [(8,), (8, 0), (), (8, 3, 0)])
def test_no_input_at_all(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"x: inputs have shape .*expected \(n, features\) of tab"):
        shape_of_one("x", shape, np.dtype("float32"))


def test_features_are_measured_each_on_its_own(tmp_path: Path) -> None:
    table = np.stack([np.arange(8), np.arange(8) * 100.0 - 50, np.full(8, 3.0)], axis=1)
    spec = loaded(tmp_path, table, test=table + 1000)  # outside the range, and not refused
    assert not spec.declared
    assert spec.value_range == (-50.0, 650.0)
    assert spec.feature_ranges == ((0.0, 7.0), (-50.0, 650.0), (3.0, 3.0))
    lows, highs = spec.bounds
    assert lows.tolist() == [0.0, -50.0, 3.0]
    assert highs.tolist() == [7.0, 650.0, 3.0]


def test_channels_are_measured_over_all_steps(tmp_path: Path) -> None:
    signal = np.zeros((8, 16, 2))
    signal[3, 5], signal[7, 0] = (2, -100), (-1, 300)
    assert loaded(tmp_path, signal).feature_ranges == ((-1.0, 2.0), (-100.0, 300.0))


def test_pictures_have_one_range(tmp_path: Path) -> None:
    deep = np.full((8, 4, 4, 3), 5, np.uint16)
    deep[0, 0, 0, 0] = 4000
    spec = loaded(tmp_path, deep)
    assert (spec.value_range, spec.feature_ranges, spec.declared) == ((5.0, 4000.0), (), False)
    assert loaded(tmp_path, deep / 4000).value_range == (0.0, 1.0)
    of_bytes = loaded(tmp_path, (deep % 256).astype(np.uint8))
    assert (of_bytes.value_range, of_bytes.declared) == ((0.0, 255.0), True)


def test_a_declared_range_is_one_for_all_and_refuses(tmp_path: Path) -> None:
    table = np.arange(16.0).reshape(8, 2)
    spec = loaded(tmp_path, table, value_range=[0, 20])
    assert (spec.value_range, spec.feature_ranges, spec.declared) == ((0.0, 20.0), (), True)
    with pytest.raises(DataError, match=r"values run from 10\.0 to 25\.0, .*declares 0 to 20"):
        loaded(tmp_path, table, test=table + 10, value_range=[0, 20])


def test_values_that_are_all_the_same_have_a_range() -> None:
    assert measured_range([("x", np.full((3, 1), 7.0))]).value_range == (7.0, 8.0)


def test_a_missing_value_is_named_by_its_column(tmp_path: Path) -> None:
    table = np.zeros((8, 3))
    table[5, 2] = np.nan
    with pytest.raises(DataError, match="train: example 5 holds NaN or infinity in column 2; leav"):
        loaded(tmp_path, table)


def test_ranges_that_do_not_fit_the_features() -> None:
    spec = DataSpec("mine", (3,), "float32", (0, 1), ("a", "b"), False, ((0, 1), (0, 1)))
    inputs = np.zeros((8, 3), np.float32)
    with pytest.raises(DataError, match=r"has 2 feature_ranges, its inputs of shape \(3,\) have 3"):
        check_dataset(Dataset(spec, Examples(inputs, Y), Examples(inputs, Y)))


@pytest.mark.parametrize("shape", [(), (3, 0)])
def test_a_spec_has_an_axis(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"DataSpec\.input_shape is"):
        DataSpec("mine", shape, "float32", (0, 1), ("a", "b"))


def test_signals_are_said_to_be_read_as_signals(tmp_path: Path) -> None:
    signal = np.zeros((8, 64, 3))
    np.savez(tmp_path / "mine.npz", x_train=signal, y_train=Y, x_test=signal, y_test=Y)
    (note,) = load_data(DataConfig(name=str(tmp_path / "mine.npz")), 0).notes
    assert "signals of 64 steps and 3 channels; give grey pictures the shape (n, 64, 3, 1)" in note


def owned(**edges: Any) -> OwnedData:
    return OwnedData("mine", sources_of("data", edges), 0.25, 0)


def test_the_range_is_of_all_edges_training_data() -> None:
    table = np.arange(16.0).reshape(8, 2)
    north = {"x_train": table, "y_train": Y, "x_test": table * 50, "y_test": Y}
    spec = owned(north=north, south=(table - 100, Y)).spec
    assert spec.feature_ranges == ((-100.0, 14.0), (-99.0, 15.0))
    assert spec.input_shape == (2,)
    assert not spec.declared


def test_who_declares_no_range_gets_that_of_the_others() -> None:
    table = np.arange(16.0).reshape(8, 2)
    declares = {"x_train": table, "y_train": Y, "value_range": [0, 20]}
    data = owned(north=declares, south=(table + 10, Y))
    assert (data.spec.value_range, data.spec.declared) == ((0.0, 20.0), True)
    with pytest.raises(DataError, match=r"edge 'south', train: values run from 10\.0 to 25"):
        data.edge("south")
