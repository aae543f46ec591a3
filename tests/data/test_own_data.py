"""An edge's own data from a function, ``ecavg edge --data=module:function``."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecavg_tf.config import Config
from ecavg_tf.core.errors import ConfigError, DataError
from ecavg_tf.core.messages.inputs import Inputs
from ecavg_tf.data.own_data import arrays_from_function, data_place
from ecavg_tf.rounds.joined_task import JoinedTask
from ecavg_tf.rounds.joining import Joiner

INPUTS = Inputs("pets", (2, 2, 1), "uint8", (0.0, 16.0), ("cat", "dog"))
X, Y = np.arange(40, dtype=np.uint8).reshape(10, 2, 2) % 16, np.arange(10) % 2
CODE = """
import numpy as np
X, Y = np.arange(40, dtype=np.uint8).reshape(10, 2, 2) % 16, np.arange(10) % 2
calls = []
def pair():
    calls.append(1)
    return X, Y
def pairs(): return (X, Y), (X[:3], Y[:3])
def named():
    return {"x_train": X.tolist(), "y_train": ["dog", "cat"] * 5, "group": list("aabbccddee")}
def renamed(): return {"x_train": X, "y_train": Y, "classes": ["dog", "cat"]}
def unknown(): return X, ["cow"] * 10
def fails(): return {}["x"]
def nothing(): return None
def lame(): return {"x_train": X}
def uneven(): return {"x_train": X, "y_train": Y, "value_range": [[0], [1, 2]]}
"""


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "owner_s.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "owner_s", raising=False)


def joiner(function: str, tmp_path: Path) -> Joiner:
    place = data_place(f"owner_s:{function}")
    assert isinstance(place, str)
    return Joiner("north", tmp_path, tmp_path, place)


@pytest.mark.parametrize(
    ("function", "labels", "tested"),
    [("pair", Y, 0), ("pairs", Y, 3), ("named", 1 - Y, 0), ("renamed", 1 - Y, 0)],
)
def test_what_a_function_returns_is_an_edges_data(
    function: str, labels: Any, tested: int, tmp_path: Path
) -> None:
    edge = joiner(function, tmp_path)
    local = edge._local(Config(), INPUTS)
    # Which examples are held out is drawn; together they are all.
    parts = (local.edge.train, local.edge.guard)
    got = {
        image.tobytes(): label
        for part in parts
        for image, label in zip(part.inputs, part.labels, strict=True)
    }
    rows = X.reshape(10, 2, 2, 1)
    assert {row.tobytes() for row in rows} == set(got)
    first = dict(zip((row.tobytes() for row in rows), labels, strict=True))
    assert got == first
    assert (0 if local.test is None else len(local.test)) == tested
    assert edge._described(0, 0).inputs.input_shape == (2, 2, 1)


def test_it_is_called_once(tmp_path: Path) -> None:
    edge = joiner("pair", tmp_path)
    edge._described(0, 0)
    edge._local(Config(), INPUTS)
    assert sys.modules["owner_s"].calls == [1]


@pytest.mark.parametrize(
    ("function", "error", "said"),
    [
        (
            "unknown",
            DataError,
            r"--data='owner_s:unknown', y_train: unknown class 'cow'; valid: cat",
        ),
        ("fails", DataError, r"--data='owner_s:fails' fails: KeyError: 'x'"),
        ("nothing", DataError, r"--data='owner_s:nothing' has NoneType; expected \(x_train"),
        ("lame", DataError, r"--data='owner_s:lame' has one of x_train and y_train; give both"),
        ("uneven", DataError, r"--data='owner_s:uneven', value_range: no array"),
        (
            "missing",
            ConfigError,
            r"--data='owner_s:missing': 'missing' is not there; owner_s is .*owner_s.py",
        ),
    ],
)
def test_what_is_refused(function: str, error: type[Exception], said: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=said):
        joiner(function, tmp_path)._local(Config(), INPUTS)


def test_the_state_knows_the_function(tmp_path: Path) -> None:
    task = JoinedTask({}, INPUTS, "owner_s:pair", "label")
    task.save(tmp_path)
    assert JoinedTask.load(tmp_path) == task
    assert arrays_from_function("owner_s:pair", "north")["x_train"].shape == (10, 2, 2, 1)
    assert data_place("mine.npz") == Path("mine.npz")
