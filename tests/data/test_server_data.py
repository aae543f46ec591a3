"""A server without training data: what it is told of the task, and a test set alone."""

import json
from pathlib import Path

import numpy as np
import pytest

from ecavg_tf.config import Config, FleetKind
from ecavg_tf.core.errors import ConfigError, DataError, WorkdirError
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.data.federated import federated_data
from ecavg_tf.data.server_data import keep_spec, kept_spec, read_spec

SPEC = DataSpec("task", (2, 2, 1), "uint8", (0.0, 16.0), ("cat", "dog"))
SAID = {
    "input_shape": [2, 2, 1],
    "dtype": "uint8",
    "value_range": [0, 16],
    "classes": ["cat", "dog"],
}


def asked(name: str = "digits", spec: str = "") -> Config:
    config = Config()
    config.data.name, config.data.spec = name, spec
    config.fleet.kind, config.fleet.folder = FleetKind.FOLDER, "exchange"
    return config


def said(tmp_path: Path, **other: object) -> str:
    path = tmp_path / "task.json"
    path.write_text(json.dumps(SAID | other))
    return str(path)


def test_a_server_is_told_what_the_data_is(tmp_path: Path) -> None:
    data = federated_data(asked(spec=said(tmp_path)))
    assert (data.spec, data.edges, len(data.test)) == (SPEC, (), 0)
    assert data.own_test("north") is None
    with pytest.raises(DataError, match="the data of edge 'north' lies on the edge"):
        data.edge("north")
    with pytest.raises(DataError, match="no edge has said yet what its data is"):
        federated_data(asked(spec="first-edge"))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"classes": ["cat"]}, "1 classes, expected 2 or more"),
        ({"dtype": "uint9"}, "dtype is 'uint9'"),
        ({"value_range": [0]}, "expected two numbers"),
        ({"colour": 1}, "colour is unknown"),
    ],
)
def test_what_a_server_is_told_is_checked(
    tmp_path: Path, other: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_spec(said(tmp_path, **other))


def test_no_file_says_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="give 'first-edge' or a JSON file"):
        read_spec(str(tmp_path / "no.json"))


def test_what_was_said_is_kept(tmp_path: Path) -> None:
    assert kept_spec(tmp_path) is None
    keep_spec(tmp_path, SPEC, "north")
    assert kept_spec(tmp_path) == SPEC
    assert read_spec(str(tmp_path / "task.json")) == SPEC
    (tmp_path / "task.json").write_text("{}")
    with pytest.raises(WorkdirError, match=r"task\.json is damaged"):
        kept_spec(tmp_path)


def test_a_test_set_alone(tmp_path: Path) -> None:
    inputs = np.full((4, 2, 2, 1), 9, np.uint8)
    arrays = {"x_test": inputs, "y_test": [0, 1, 1, 0], "classes": ["dog", "cat"]}
    np.savez(tmp_path / "test.npz", value_range=[0, 16], **arrays)
    data = federated_data(asked(str(tmp_path / "test.npz")))
    assert (data.edges, data.spec.classes, data.spec.value_range) == ((), ("dog", "cat"), (0, 16))
    assert data.test.labels.tolist() == [0, 1, 1, 0]
    # Its labels are matched by name to a task that was said.
    told = federated_data(asked(str(tmp_path / "test.npz"), said(tmp_path)))
    assert told.test.labels.tolist() == [1, 0, 0, 1]
    # A folder of edges that has nothing but the test set is the same.
    assert federated_data(asked(str(tmp_path))).edges == ()


def test_a_test_set_that_is_not_of_the_task(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", x_test=np.zeros((2, 3, 3, 1), np.uint8), y_test=[0, 1])
    with pytest.raises(DataError, match="the global test set"):
        federated_data(asked(str(tmp_path / "t.npz"), said(tmp_path)))


def test_training_data_and_a_description(tmp_path: Path) -> None:
    inputs, labels = np.zeros((20, 2, 2, 1), np.uint8), [0, 1] * 10
    np.savez(tmp_path / "all.npz", x_train=inputs, y_train=labels, x_test=inputs, y_test=labels)
    with pytest.raises(ConfigError, match=r"data\.spec is for a server without training data"):
        federated_data(asked(str(tmp_path / "all.npz"), said(tmp_path)))
