"""Edges that come by themselves: what they say first, and who is taken in."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

import ecavg_tf
from ecavg_tf.config import Config, FleetKind
from ecavg_tf.config.presence import WaitFor
from ecavg_tf.core.errors import ConfigError, DataError, RoundError
from ecavg_tf.core.messages.inputs import Inputs
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.reply import NoReply
from ecavg_tf.core.messages.request import read_request
from ecavg_tf.core.messages.update_file import TensorFile
from ecavg_tf.core.table import LABEL
from ecavg_tf.data.edge_arrays import ArraySource
from ecavg_tf.data.server_data import keep_spec, kept_spec, spec_of
from ecavg_tf.events import Event, Note, silent
from ecavg_tf.rounds.arrivals import Arrivals, first_description, wait_for
from ecavg_tf.rounds.joining import Joiner
from edge.device.described import described, greet, source_of
from edge.device.local_data import load_local

TASK = Inputs("task", (2, 2, 1), "uint8", (0.0, 16.0), ("cat", "dog"))


def arrays(**other: Any) -> dict[str, Any]:
    inputs = np.full((4, 2, 2, 1), 9, np.uint8)
    return {"x_train": inputs, "y_train": [0, 1, 1, 0], "classes": ["dog", "cat"]} | other


def come(folder: Path, edge: str, data: Mapping[str, Any] | Path) -> str:
    """An edge's own part: its mailbox, and its answer to what lies there."""
    source = source_of(data, LABEL) if isinstance(data, Path) else ArraySource(data)
    box = Mailbox(folder / edge)
    request = box.unanswered()
    if request is None:
        return ""
    try:
        box.reply(request, greet(edge, request, lambda: described(edge, source)))
        return ""
    except DataError as error:
        box.reply(request, NoReply(edge, str(error)))
        return str(error)


def server(folder: Path, told: list[Event], task: Inputs | None = TASK) -> Arrivals:
    return Arrivals(folder, "run", {}, task, told.append)


def notes(told: list[Event]) -> list[str]:
    return [event.text for event in told if isinstance(event, Note)]


def test_who_has_not_answered_hears_the_task_once_it_is_known(tmp_path: Path) -> None:
    """A browser tab can only say that its data is of the task: it waits until there is one."""
    tab = Mailbox(tmp_path / "tab")
    first = server(tmp_path, [], None)
    first.look()
    asked = tab.unanswered()
    assert asked is not None
    assert asked.inputs is None
    tab.reply(asked, NoReply("tab", "the server does not know yet"))
    server(tmp_path, []).look()
    again = tab.unanswered()
    assert again is not None
    assert again.inputs == TASK


def test_an_edge_says_what_its_data_is_and_nothing_of_an_example(tmp_path: Path) -> None:
    told: list[Event] = []
    arrivals = server(tmp_path, told)
    come(tmp_path, "north", arrays())
    arrivals.look()
    assert arrivals.came == {}  # it was greeted just now
    come(tmp_path, "north", arrays())
    arrivals.look()
    assert arrivals.came["north"].as_inputs("task") == replace(
        TASK, value_range=(0.0, 255.0), classes=("dog", "cat")
    )
    assert notes(told) == ["north has come"]
    said = (tmp_path / "north" / "outbox" / "0000-hello.json").read_text()
    assert "y_train" not in said


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (
            {"x_train": np.zeros((4, 3, 3), np.uint8)},
            r"its inputs are uint8\(3, 3, 1\), those of",
        ),
        ({"x_train": np.zeros((4, 2, 2, 1), np.float32)}, r"its inputs are float32\(2, 2, 1\)"),
        ({"value_range": [0, 255]}, "it declares values from 0 to 255, those of the run go from 0"),
        ({"classes": ["dog", "cow"]}, "its class 'cow' is none of the run's; valid: cat, dog"),
        ({"classes": ["dog", "cat", "owl"], "y_train": [0, 1, 2, 0]}, "its class 'owl' is none"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_an_edge_that_disagrees_is_refused_by_name(
    tmp_path: Path, other: dict[str, Any], why: str, late: bool
) -> None:
    """Also one that said what it has before anybody knew the task."""
    told: list[Event] = []
    first = server(tmp_path, told, None if late else TASK)
    come(tmp_path, "south", arrays(**other))
    first.look()
    known = server(tmp_path, told) if late else first
    said = come(tmp_path, "south", arrays(**other))
    known.look()
    if late:
        said = come(tmp_path, "south", arrays(**other))
        known.look()
    assert known.came == {}
    assert re.search(why, said)  # the device is told, too
    assert notes(told)[0].startswith("refused south: ")
    come(tmp_path, "south", arrays())  # with other data, the same server takes it in
    known.look()
    assert list(known.came) == ["south"]


def test_numbers_without_names_are_those_of_the_task() -> None:
    data = arrays(y_train=[0, 1, 1, 0])
    del data["classes"]
    assert described("north", ArraySource(data)).disagreement(TASK) is None
    data["y_train"] = [0, 1, 2, 0]
    why = described("north", ArraySource(data)).disagreement(TASK)
    assert why == "its labels go up to 2, those of the run up to 1"


def heard(folder: Path, edge: str, data: Path, task: Inputs | None) -> tuple[Arrivals, str]:
    """An edge that has come, or what it was told."""
    arrivals = server(folder, [], task)
    come(folder, edge, data)
    arrivals.look()
    why = come(folder, edge, data)
    arrivals.look()
    return arrivals, why


def test_tables_are_as_the_first_edge_says(tmp_path: Path) -> None:
    """Columns are matched by name; the range that nobody declared is the first edge's for all."""
    files = {name: tmp_path / f"{name}.csv" for name in ("north", "south", "west")}
    files["north"].write_text("wide,high,label\n1,10,cat\n3,30,dog\n2,20,owl\n")
    files["south"].write_text("label,high,wide\ndog,-500,7\ncat,10,1\n")  # no owl, other values
    files["west"].write_text("wide,deep,label\n1,10,cat\n3,30,dog\n")
    task = heard(tmp_path / "a", "north", files["north"], None)[0].came["north"].as_inputs("task")
    assert task == Inputs(
        "task",
        (2,),
        "float32",
        (1.0, 30.0),
        ("cat", "dog", "owl"),
        declared=False,
        feature_ranges=((1.0, 3.0), (10.0, 30.0)),
        columns=("wide", "high"),
    )
    keep_spec(tmp_path, spec_of(task), "north")
    assert kept_spec(tmp_path) == spec_of(task)  # also when the server starts again
    arrivals, _ = heard(tmp_path / "b", "south", files["south"], task)
    assert list(arrivals.came) == ["south"]
    path = tmp_path / "b" / "south" / "inbox" / "0000-hello.safetensors"
    assert read_request(TensorFile(path)).inputs == task
    local = load_local(files["south"], task, edge="south", guard_fraction=0.0, seed=0)
    assert local.edge.train.inputs.tolist() == [[7.0, -500.0], [1.0, 10.0]]
    assert local.edge.train.labels.tolist() == [1, 0]
    assert local.note is None
    arrivals, why = heard(tmp_path / "c", "west", files["west"], task)
    assert arrivals.came == {}
    assert why.endswith("column 'deep' is in the data of the edge alone")


def test_a_measured_range_refuses_nobody(tmp_path: Path) -> None:
    """Not even an edge whose data declares one; a declared range refuses it."""
    signals = {"x_train": np.array([[[0.5], [2.0]], [[1.0], [4.0]]], np.float32)}
    labelled = signals | {"y_train": [0, 1], "classes": ["cat", "dog"]}
    np.savez(tmp_path / "north.npz", **labelled)
    np.savez(tmp_path / "south.npz", **labelled, value_range=[0, 99])
    task = heard(tmp_path / "a", "north", tmp_path / "north.npz", None)[0].came["north"]
    inputs = task.as_inputs("task")
    assert (inputs.value_range, inputs.declared) == ((0.5, 4.0), False)
    south = tmp_path / "south.npz"
    assert list(heard(tmp_path / "b", "south", south, inputs)[0].came) == ["south"]
    assert len(load_local(south, inputs, edge="south", guard_fraction=0.0, seed=0).edge.train) == 2
    known = replace(inputs, declared=True)
    _, why = heard(tmp_path / "c", "south", south, known)
    assert "it declares values from 0 to 99, those of the run go from 0.5 to 4" in why
    with pytest.raises(DataError, match="value_range is 0 to 99, the run's model takes values"):
        load_local(south, known, edge="south", guard_fraction=0.0, seed=0)


def test_a_folder_that_is_no_edge(tmp_path: Path) -> None:
    told: list[Event] = []
    arrivals = server(tmp_path, told)
    for name in ("server", "north", "North"):
        (tmp_path / name / "outbox").mkdir(parents=True)
    (tmp_path / "notes").mkdir()
    arrivals.look()
    arrivals.look()
    assert [text.partition(":")[0] for text in notes(told)] == ["refused north", "refused server"]


def open_config(tmp_path: Path, small: Callable[[], Config]) -> Config:
    config = small()
    config.data = Config().data
    config.data.spec = "first-edge"
    config.fleet.kind, config.fleet.folder = FleetKind.FOLDER, str(tmp_path / "exchange")
    config.fleet.timeout_s = 0.3
    return config


def test_nobody_comes(tmp_path: Path, small: Callable[[], Config]) -> None:
    config = open_config(tmp_path, small)
    told: list[Event] = []
    with pytest.raises(RoundError, match=r"no edge came to .* within 0\.3 s"):
        ecavg_tf.run(config, tmp_path / "run", listener=told.append)
    with pytest.raises(RoundError, match=r"no edge came to"):  # the same command goes on
        ecavg_tf.run(config, tmp_path / "run")
    assert any("ecavg edge --edge=NAME" in text for text in notes(told))


def test_too_few_come(tmp_path: Path, small: Callable[[], Config]) -> None:
    config = open_config(tmp_path, small)
    told: list[Event] = []
    arrivals = server(tmp_path, told)
    assert wait_for(arrivals, WaitFor(0, ("west",)), config, told.append) == "west"


def test_the_first_edge_says_it(tmp_path: Path, small: Callable[[], Config]) -> None:
    config = open_config(tmp_path, small)
    config.fleet.timeout_s = 60
    np.savez(tmp_path / "north.npz", **arrays())
    joiner = Joiner(
        "north", tmp_path / "exchange", tmp_path / "state", tmp_path / "north.npz", timeout_s=1.0
    )
    failed: list[BaseException] = []

    def join() -> None:
        try:
            joiner.run()
        except ecavg_tf.ECAvgError as error:  # nothing is asked after hello
            failed.append(error)

    thread = Thread(target=join)
    thread.start()
    edge, inputs = first_description(config, "run", silent)
    thread.join(timeout=60)
    assert (edge, inputs.classes, inputs.input_shape) == ("north", ("dog", "cat"), (2, 2, 1))
    assert "no request for north" in str(failed[0])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"data.name": "digits", "fleet.wait_for": "2"}, "is for a server without training data"),
        ({"fleet.presence": "west:2"}, "names 'west', which is no edge; valid: edge-00, edge-01"),
    ],
)
def test_settings_that_do_not_suit_the_edges(
    tmp_path: Path, small: Callable[[], Config], fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        ecavg_tf.run(ecavg_tf.config.with_fields(small(), fields), tmp_path / "run")


def test_a_test_set_alone_needs_edges_that_come(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", x_test=np.zeros((4, 2, 2, 1), np.uint8), y_test=[0, 1, 1, 0])
    config = Config()
    config.data.name = str(tmp_path / "t.npz")
    with pytest.raises(ConfigError, match=r"has nothing to train on.*set fleet\.kind=folder"):
        ecavg_tf.run(config, tmp_path / "run")
