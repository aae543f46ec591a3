"""Edges with Keras and data of their own, without a config: the task comes with the request."""

from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image
from two_digits_for_tests import config_of_two, two_digits

import ecavg_tf
from ecavg_tf.cli import main
from ecavg_tf.config import ClassWeights, Config, FleetKind, PartitionKind
from ecavg_tf.core.by_class import KEY as BY_CLASS
from ecavg_tf.core.errors import ConfigError, DataError, ECAvgError
from ecavg_tf.core.messages.inputs import Inputs
from ecavg_tf.core.messages.request import EXCHANGE, Request, Shipped
from ecavg_tf.core.scores import Accepted
from ecavg_tf.core.template import Role, Template, WeightSpec
from ecavg_tf.data.federated import federated_data
from ecavg_tf.events import Event
from ecavg_tf.rounds.joining import Joiner
from edge.device.local_data import load_local

EDGES = ("edge-00", "edge-01")
INPUTS = Inputs("tiny", (2, 2, 1), "uint8", (0.0, 16.0), ("cat", "dog"))


def write_shares(config: Config, folder: Path) -> None:
    """Each edge's share as a file of its own; the second names its classes in another order."""
    data = federated_data(config)
    for edge in EDGES:
        share = data.edge(edge)
        arrays = {"x_test": data.test.inputs, "y_test": data.test.labels}
        for split, part in (("train", share.train), ("guard", share.guard)):
            arrays |= {f"x_{split}": part.inputs, f"y_{split}": part.labels}
        if edge == "edge-01":
            arrays = {
                name: data.spec.num_classes - 1 - value if name.startswith("y") else value
                for name, value in arrays.items()
            }
            arrays["classes"] = np.array(data.spec.classes[::-1])
        np.savez(folder / f"{edge}.npz", **arrays)


def as_it_is(config: Config, folder: Path) -> Config:
    del folder
    return config


def with_all_that_trains(config: Config, folder: Path) -> Config:
    del folder
    config.edge.weight_decay, config.edge.augment = 0.01, True
    config.edge.class_weights = ClassWeights.BALANCED
    return config


def of_two_classes(config: Config, folder: Path) -> Config:
    del config
    made = with_all_that_trains(config_of_two(folder, "one_sigmoid"), folder)
    made.partition.kind, made.partition.alpha = PartitionKind.DIRICHLET, 0.5
    return made


@pytest.mark.slow
@pytest.mark.parametrize("change", [as_it_is, with_all_that_trains, of_two_classes])
def test_edges_with_their_own_files_give_the_bits_of_a_simulation(
    small: Callable[[], Config], tmp_path: Path, change: Callable[[Config, Path], Config]
) -> None:
    config = change(small(), tmp_path)
    config.rounds = 2
    config.edge.epochs = config.server.epochs = 1
    write_shares(config, tmp_path)
    near = ecavg_tf.run(config, tmp_path / "near")
    config.fleet.kind, config.fleet.folder = FleetKind.FOLDER, str(tmp_path / "exchange")
    config.fleet.timeout_s = 120
    failed: list[ECAvgError] = []

    def join(edge: str) -> None:
        try:
            data, state = tmp_path / f"{edge}.npz", tmp_path / "state"
            Joiner(edge, tmp_path / "exchange", state, data, pool=True, timeout_s=120).run()
        except ECAvgError as error:
            failed.append(error)

    threads = [Thread(target=join, args=(edge,)) for edge in EDGES]
    for thread in threads:
        thread.start()
    far = ecavg_tf.run(config, tmp_path / "far")
    for thread in threads:
        thread.join(timeout=60)
    assert failed == []
    for one, other in zip(near.rounds, far.rounds, strict=True):
        assert one.server == other.server
        for edge, same in zip(one.edges, other.edges, strict=True):
            assert edge.local is not None and same.local is not None
            assert edge.accepted is not None and same.accepted is not None
            assert edge.accepted.weights_sha256 == same.accepted.weights_sha256
            assert decision_of(edge.accepted) == decision_of(same.accepted)
            # The file's test set is the edge's own; here it holds all that the server's holds.
            assert edge.local.all == same.local.own == same.local.all


def decision_of(accepted: Accepted) -> dict[str, Any]:
    """The evidence without what the test set adds to it, which differs here."""
    return {name: value for name, value in accepted.evidence.items() if name != BY_CLASS}


def write_pictures(folder: Path) -> None:
    held = two_digits()
    for number, (image, label) in enumerate(zip(held["x_train"], held["y_train"], strict=True)):
        place = folder / str(held["classes"][label])
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(place / f"{number}.png")


def test_a_folder_of_pictures_is_an_edges_data(tmp_path: Path) -> None:
    write_pictures(tmp_path / "mine")
    told: list[Event] = []
    joiner = Joiner("north", tmp_path, tmp_path, tmp_path / "mine", listener=told.append)
    inputs = Inputs("two", (8, 8, 1), "uint8", (0.0, 16.0), ("three", "eight"))
    local = joiner._local(Config(), inputs)
    held = two_digits()
    labels = dict(zip((image.tobytes() for image in held["x_train"]), held["y_train"], strict=True))
    assert local.test is not None
    for part, count in ((local.edge.train, 154), (local.edge.guard, 38), (local.test, 48)):
        assert len(part) == count
        assert [labels[image.tobytes()] for image in part.inputs] == part.labels.tolist()


@pytest.mark.slow
def test_an_edge_joins_with_a_folder_of_pictures(tmp_path: Path) -> None:
    config = config_of_two(tmp_path, "one_sigmoid")
    config.partition.num_edges, config.update.policy = 1, "replace"
    config.fleet.kind, config.fleet.folder = FleetKind.FOLDER, str(tmp_path / "exchange")
    write_pictures(tmp_path / "mine")
    joiner = Joiner(
        "edge-00", tmp_path / "exchange", tmp_path / "state", tmp_path / "mine", timeout_s=120
    )
    thread = Thread(target=joiner.run)
    thread.start()
    (played,) = ecavg_tf.run(config, tmp_path / "far").rounds
    thread.join(timeout=60)
    (edge,) = played.edges
    assert (edge.examples, edge.class_counts) == (154, (78, 76))
    assert edge.accepted is not None and edge.accepted.own is not None
    assert edge.accepted.own.n == 48
    assert edge.accepted.own.accuracy > 0.8


def test_classes_are_matched_by_name(tmp_path: Path) -> None:
    inputs = np.full((3, 2, 2, 1), 9, np.uint8)
    path = tmp_path / "mine.npz"
    np.savez(path, x_train=inputs, y_train=[0, 1, 1], classes=["dog", "cat"])
    local = load_local(path, INPUTS, edge="north", guard_fraction=0.0, seed=0)
    assert local.edge.train.labels.tolist() == [1, 0, 0]
    for classes, said in (
        (["dog", "cow"], "class 'cow' is none of this run's; valid: cat, dog"),
        (["dog", "dog"], "hold a name twice"),
        (["dog"], "y_train holds labels from 0 to 1, its classes are 0 to 0"),
    ):
        np.savez(path, x_train=inputs, y_train=[0, 1, 1], classes=classes)
        with pytest.raises(DataError, match=said):
            load_local(path, INPUTS, edge="north", guard_fraction=0.0, seed=0)


@pytest.mark.parametrize(
    ("config", "inputs", "said"),
    [
        ({"model.name": "nosuchmodule:net"}, INPUTS, "install the module 'nosuchmodule'"),
        ({}, None, "the server does not say what its model takes"),
    ],
)
def test_what_an_edge_lacks(
    tmp_path: Path, config: dict[str, object], inputs: Inputs | None, said: str
) -> None:
    template = Template((WeightSpec("w", (2,), "float32", Role.TRAINABLE),))
    request = Request(EXCHANGE, "run", 1, template, Shipped(None), config=config, inputs=inputs)
    joiner = Joiner("north", tmp_path, tmp_path, tmp_path / "mine.npz")
    with pytest.raises(ConfigError, match=said):
        joiner.answer(request)


def test_a_folder_holds_no_tables(tmp_path: Path) -> None:
    table = Inputs("mine", (2,), "float32", (0.0, 9.0), ("cat", "dog"), declared=False)
    template = Template((WeightSpec("w", (2,), "float32", Role.TRAINABLE),))
    request = Request(EXCHANGE, "run", 1, template, Shipped(None), inputs=table)
    with pytest.raises(DataError, match=r"inputs have the shape \(2,\); give an .npz or .csv"):
        Joiner("north", tmp_path, tmp_path, tmp_path).answer(request)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--edge=north", "--data=x.npz", "--state=s"], "--exchange is needed"),
        (["--exchange=x", "--data=x.npz"], "--edge, --state are needed"),
        (["--edge=../x", "--exchange=x", "--data=x.npz", "--state=s"], "is no name of an edge"),
        (["--edge=a", "--exchange=x/y", "--data=x.npz", "--state=s"], "x is not there"),
    ],
)
def test_wrong_words(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["edge", *words]) == 2
    assert said in capsys.readouterr().err
