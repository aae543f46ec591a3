"""Arrays that a script gives are kept in the run directory and read from there."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecavg_tf.config import Config
from ecavg_tf.core.errors import ConfigError, DataError, WorkdirError
from ecavg_tf.data.arrays import dataset_from_arrays
from ecavg_tf.data.federated import federated_data
from ecavg_tf.data.given import with_given_data


def pair(seed: int, count: int = 40) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    return random.random((count, 3), np.float32), np.arange(count) % 2


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    train, test = pair(1), pair(2, 10)
    config = with_given_data(Config(), tmp_path / "run", (train, test))
    data = federated_data(config)
    assert data.spec.classes == ("0", "1")
    np.testing.assert_array_equal(data.test.inputs, test[0])
    both = [data.edge(name) for name in data.edges]
    given = np.concatenate([part.inputs for each in both for part in (each.train, each.guard)])
    assert sorted(given.tolist()) == sorted(train[0].tolist())


def test_a_function_is_called_once_more_and_its_names_and_range_stay(tmp_path: Path) -> None:
    made = dataset_from_arrays(
        "mine", pair(1), pair(2), classes=("off", "on"), value_range=(0.0, 2.0)
    )
    data = federated_data(with_given_data(Config(), tmp_path, lambda: made))
    assert data.spec.classes == ("off", "on")
    assert data.spec.value_range == (0.0, 2.0)


def test_edges_with_data_of_their_own_are_a_mapping(tmp_path: Path) -> None:
    data = federated_data(
        with_given_data(
            Config(), tmp_path, {"north": (pair(1), pair(2)), "south": (pair(3), pair(4))}
        )
    )
    assert data.edges == ("north", "south")
    own = data.own_test("south")
    assert own is not None
    np.testing.assert_array_equal(own.inputs, pair(4)[0])


def test_the_same_data_again_goes_on_and_other_data_is_refused(tmp_path: Path) -> None:
    first = with_given_data(Config(), tmp_path, (pair(1), pair(2)))
    assert with_given_data(Config(), tmp_path, (pair(1), pair(2))) == first
    with pytest.raises(WorkdirError, match=r"data\.npz keeps other data than is given"):
        with_given_data(Config(), tmp_path, (pair(1), pair(3)))
    edges = {"north": (pair(1), pair(2)), "south": (pair(3), pair(4))}
    with_given_data(Config(), tmp_path / "edges", edges)
    edges.pop("south")
    with pytest.raises(WorkdirError, match="keeps other data than is given"):
        with_given_data(Config(), tmp_path / "edges", edges)


def test_what_is_no_data_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^data is int; expected an ecavg_tf\.Dataset or"):
        with_given_data(Config(), tmp_path / "run", 3)
    config = Config()
    config.data.name = "mnist"
    with pytest.raises(ConfigError, match=r"data\.name is 'mnist', and data is given, too"):
        with_given_data(config, tmp_path / "run", (pair(1), pair(2)))
    odd = {"north": {"x_train": np.array([object()]), "y_train": np.array([0])}}
    with pytest.raises(DataError, match="edge 'north': x_train has dtype object; give numbers"):
        with_given_data(Config(), tmp_path / "run", odd)
    assert not (tmp_path / "run").exists()
