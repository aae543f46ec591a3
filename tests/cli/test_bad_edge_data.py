"""Data that an edge can't use, at the commands' door: one line each, before anything is trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from messages_for_tests import asked, decided

from ecavg_tf.cli import main
from ecavg_tf.core.errors import DataError
from ecavg_tf.core.messages.inputs import Inputs
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.owner import Owner
from ecavg_tf.core.messages.reply import Reply
from ecavg_tf.core.messages.request import EXCHANGE, FINISH, Request, Shipped
from ecavg_tf.core.template import Role, Template, WeightSpec
from ecavg_tf.events import silent
from edge.cli import main as device
from edge.device.local_data import load_local
from edge.participating.serving import Served, serve

Arrays = dict[str, Any]
INPUTS = Inputs("tiny", (4, 4, 1), "uint8", (0.0, 255.0), ("0", "1", "2"))
NOTHING = np.zeros((0, 4, 4), np.uint8)
X, Y = np.arange(192, dtype=np.uint8).reshape(12, 4, 4), np.arange(12) % 3
GUARD = {"x_guard": X[:2], "y_guard": Y[:2], "group_guard": [5, 99]}

# What is wrong: what `ecavg run` says of the edge, and what `ecavg edge` says at home.
BAD: dict[str, tuple[Arrays, str, str]] = {
    "unknown class": (
        {"y_train": list("012x" * 3), "classes": list("012")},
        "edge 'south': unknown class 'x'; its array classes names 0, 1, 2",
        "y_train: unknown class 'x'; valid: 0, 1, 2",
    ),
    "shape": (
        {"x_train": X[:, :3]},
        "edge 'south' differs from edge 'north': inputs uint8(3, 4, 1), and uint8(4, 4, 1)",
        "x_train have shape (12, 3, 4), expected (n, 4, 4, 1)",
    ),
    "dtype": (
        {"x_train": X / 255},
        "edge 'south' differs from edge 'north': inputs float32(4, 4, 1), and uint8(4, 4, 1)",
        "x_train holds fractions, the model was made for whole numbers from 0 to 255",
    ),
    "range": (
        {"value_range": [0, 16]},
        "edge 'south' differs from edge 'north': the value range (0.0, 16.0), and (0.0, 255.0)",
        "value_range is 0 to 16, the run's model takes values from 0 to 255",
    ),
    "beyond the range": (
        {"x_train": X.astype(np.int16) + 100, "value_range": [0, 255]},
        "edge 'south' differs from edge 'north': inputs int16(4, 4, 1), and uint8(4, 4, 1)",
        "x_train hold values from 100 to 291, expected 0 to 255",
    ),
    "text labels": (
        {"y_train": list("abc" * 4)},
        "edge 'south' names its classes, edge 'north' has numbers alone; give it an array classes",
        "y_train: unknown class 'a'; valid: 0, 1, 2",
    ),
    "labels from 1": (
        {"y_train": Y + 1},
        "",  # other edges have the label 0: to the run these are numbers like any others
        "y_train holds labels from 1 to 3, the model has the classes 0 to 2; number them so, or "
        "give an array classes with the names of yours",
    ),
    "one-hot": (
        {"y_train": np.eye(3)[Y]},
        "edge 'south', train: labels have shape (12, 3) and dtype float64; expected whole numbers "
        "of shape (n,): labels.argmax(axis=1) makes numbers of one-hot rows",
        "labels.argmax(axis=1) makes numbers of one-hot rows",
    ),
    "empty test": (
        {"x_test": NOTHING, "y_test": np.zeros(0, np.int64)},
        "edge 'south', test: the test set is empty; give at least one example, or leave x_test and "
        "y_test out",
        "the test set is empty; give at least one example, or leave x_test and y_test out",
    ),
    "group in two parts": (
        {"group": np.arange(12), **GUARD},
        "edge 'south': group 5 has examples in train and in guard; move all examples of a group",
        "edge 'south': group 5 has examples in train and in guard; move all examples of a group",
    ),
    "groups of others": (
        {"group": [1, 2]},
        "edge 'south', train: groups have shape (2,)",
        "group: groups have shape (2,)",
    ),
}


def run_words(place: Path, data: Path) -> list[str]:
    config = place / "plain.py"
    config.write_text("from ecavg_tf import Config\n\n\ndef get_config():\n    return Config()\n")
    words = [f"--config={config}", f"--config.data.name={data}", f"--workdir={place / 'run'}"]
    return ["run", *words]


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which a command refuses."""
    code = main(words)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ecavg: ")]
    assert code != 0
    (line,) = lines
    return line


@pytest.mark.parametrize("fault", [name for name, (_, line, _) in BAD.items() if line])
def test_a_run_from_a_folder_by_edge(
    fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "hospitals"
    folder.mkdir()
    good = {"x_train": X, "y_train": Y}
    np.savez(folder / "north.npz", **good)
    np.savez(folder / "south.npz", **{**good, **BAD[fault][0]})
    assert BAD[fault][1] in said(run_words(tmp_path, folder), capsys)


@pytest.mark.parametrize("fault", BAD)
def test_an_edge_that_joins(fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "mine.npz", **{"x_train": X, "y_train": Y, **BAD[fault][0]})
    template = Template((WeightSpec("w", (2,), "float32", Role.TRAINABLE),))
    request = Request(EXCHANGE, "run", 1, template, Shipped(None), config={}, inputs=INPUTS)
    Mailbox(tmp_path / "exchange" / "south").send(request)
    words = ["--edge=south", f"--exchange={tmp_path / 'exchange'}"]
    words += [f"--data={tmp_path / 'mine.npz'}", f"--state={tmp_path / 'state'}", "--timeout=20"]
    assert BAD[fault][2] in said(["edge", *words], capsys)


@pytest.mark.parametrize("data", ["mine.csv", "nosuch:data"])
def test_data_that_is_not_there_shows_before_any_wait(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--edge=a", "--exchange=exchange", f"--data={data}", "--state=state", "--timeout=9"]
    line = said(["edge", *words], capsys)
    assert line.startswith("ecavg: --data=")
    assert any(why in line for why in ("mine.csv is not there", "No module named 'nosuch'"))
    if not data.startswith("nosuch"):
        assert device(["train", *words]) == DataError.exit_code
        assert "--data=mine.csv is not there" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_name_twice_and_labels_from_1_on_all_edges(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "hospitals"
    folder.mkdir()
    for edge in ("north", "south"):
        np.savez(folder / f"{edge}.npz", x_train=X, y_train=Y + 1)
    words = run_words(tmp_path, folder)
    assert "labels begin at 1 and have no names; number the classes from 0" in said(words, capsys)
    (folder / "north" / "train" / "0").mkdir(parents=True)
    assert "edge 'north' is there twice" in said(words, capsys)


def test_a_name_that_belongs_to_another_state_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box = Mailbox(tmp_path / "exchange" / "north")
    box.send(asked(1, FINISH))

    def first(request: Request) -> Reply:
        return Reply("north", request.round, None, None, decided("north", request.round), {})

    owner = Owner.of(tmp_path / "one" / "north")
    serve([Served(box, first, owner)], timeout_s=5, hint="", listener=silent)
    box.send(asked(2, FINISH))
    np.savez(tmp_path / "mine.npz", x_train=X, y_train=Y)
    words = ["--edge=north", f"--exchange={tmp_path / 'exchange'}", "--timeout=20"]
    words += [f"--data={tmp_path / 'mine.npz'}", f"--state={tmp_path / 'two'}"]
    line = said(["edge", *words], capsys)
    assert "the name north belongs to " in line
    assert "which answered first (20" in line


def test_labels_that_are_names_are_matched(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    for more in ({}, {"classes": ["2", "0"]}):
        np.savez(path, x_train=X[:3], y_train=["2", "0", "2"], **more)
        local = load_local(path, INPUTS, edge="south", guard_fraction=0.0, seed=0)
        assert local.edge.train.labels.tolist() == [2, 0, 2]
