"""Edges with data of their own: from a folder, a function, and a key."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ecavg_tf.config import Config, PartitionKind
from ecavg_tf.core.errors import ConfigError, DataError
from ecavg_tf.data import edge_arrays
from ecavg_tf.data.federated import FederatedData, counted, federated_data

Arrays = dict[str, Any]


def arrays(n: int, classes: int = 3, **others: Any) -> Arrays:
    inputs = np.arange(n * 16, dtype=np.uint8).reshape(n, 4, 4)
    return {"x_train": inputs, "y_train": np.arange(n) % classes} | others


def with_test(n: int, **others: Any) -> Arrays:
    made = arrays(n, **others)
    return made | {"x_test": made["x_train"][:3], "y_test": made["y_train"][:3]}


def opened(name: str | Path, **fields: Any) -> FederatedData:
    config = Config()
    config.data.name = str(name)
    for field, value in fields.items():
        setattr(config.partition, field, value)
    return federated_data(config)


def folder(path: Path, edges: dict[str, Arrays]) -> Path:
    path.mkdir(exist_ok=True)
    for name, held in edges.items():
        np.savez(path / f"{name}.npz", **held)
    return path


def pictures(place: Path, **classes: int) -> None:
    for number, (name, count) in enumerate(classes.items()):
        (place / name).mkdir(parents=True)
        for index in range(count):
            image = np.full((4, 4), 40 * number + index, np.uint8)
            Image.fromarray(image).save(place / name / f"{index}.png")


def test_edges_of_a_folder_with_their_own_test_sets(tmp_path: Path) -> None:
    edges = {"north": with_test(20), "so-uth_1.b": with_test(9, classes=2)}
    data = opened(folder(tmp_path / "hospitals", edges))
    assert data.edges == ("north", "so-uth_1.b")
    assert (data.spec.name, data.spec.classes) == ("hospitals", ("0", "1", "2"))
    north, south = (data.edge(name) for name in data.edges)
    assert [len(part) for part in (north.train, north.guard)] == [16, 4]
    assert south.test is not None
    assert south.test.labels.tolist() == [0, 1, 0]
    assert data.own_test("so-uth_1.b") is south.test
    assert data.test.labels.tolist() == [0, 1, 2, 0, 1, 0]
    assert data.test is data.test


def test_a_global_test_set_and_a_guard_part(tmp_path: Path) -> None:
    both = arrays(8) | {"x_guard": np.zeros((2, 4, 4), np.uint8), "y_guard": [0, 1]}
    test = {"x_test": np.ones((5, 4, 4), np.uint8), "y_test": [0, 1, 2, 0, 1]}
    data = opened(folder(tmp_path / "h", {"north": both, "south": arrays(9), "test": test}))
    assert data.edges == ("north", "south")
    assert (len(data.test), data.own_test("north"), data.edge("south").test) == (5, None, None)
    assert (len(data.edge("north").train), len(data.edge("north").guard)) == (8, 2)


def test_no_test_set_anywhere_splits_a_fifth_off(tmp_path: Path) -> None:
    data = opened(folder(tmp_path / "h", {"north": arrays(20), "south": arrays(3)}))
    north = data.edge("north")
    assert north.test is not None
    assert [len(part) for part in (north.train, north.guard, north.test)] == [13, 3, 4]
    assert data.edge("south").test is None
    assert len(data.test) == 4


def test_no_images_of_an_edge_are_read_before_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[str, str]] = []
    real = edge_arrays.NpzSource.read

    def recorded(source: edge_arrays.NpzSource, name: str) -> Any:
        read.append((source._path.stem, name))
        return real(source, name)

    monkeypatch.setattr(edge_arrays.NpzSource, "read", recorded)
    data = opened(folder(tmp_path / "h", {"north": with_test(20), "south": with_test(9)}))
    assert not [name for _, name in read if name.startswith("x_")]
    data.edge("south")
    assert len(data.test) == 6
    assert ("north", "x_test") in read
    assert ("south", "x_train") in read
    assert ("north", "x_train") not in read


def test_classes_are_matched_by_name(tmp_path: Path) -> None:
    names = np.array(["dog", "cat"])
    north = arrays(6, classes=2, classes_=None) | {"classes": names}
    del north["classes_"]
    south = arrays(6) | {"y_train": np.array(["fox", "cat", "cat", "fox", "cat", "cat"])}
    data = opened(folder(tmp_path / "h", {"north": north, "south": south}), guard_fraction=0.0)
    assert data.spec.classes == ("cat", "dog", "fox")
    given = data.edge("north")
    assert set(given.train.labels.tolist()) <= {0, 1}
    assert data.edge("south").train.class_counts(3)[1] == 0


def test_folders_of_pictures(tmp_path: Path) -> None:
    pictures(tmp_path / "h" / "north" / "train", cat=5, dog=5)
    pictures(tmp_path / "h" / "north" / "test", cat=1)
    pictures(tmp_path / "h" / "north" / "guard", dog=2)
    pictures(tmp_path / "h" / "south" / "train", fox=5)
    pictures(tmp_path / "h" / "south" / "test", fox=2)
    data = opened(tmp_path / "h")
    assert (data.edges, data.spec.classes) == (("north", "south"), ("cat", "dog", "fox"))
    assert data.spec.input_shape == (4, 4, 1)
    north, south = data.edge("north"), data.edge("south")
    assert (north.train.class_counts(3), north.guard.class_counts(3)) == ((5, 5, 0), (0, 2, 0))
    assert south.train.class_counts(3) == (0, 0, 4)
    assert data.test.class_counts(3) == (1, 0, 2)


def test_a_folder_of_images_by_class_is_none_of_edges(tmp_path: Path) -> None:
    pictures(tmp_path / "photos", cat=10, dog=10)
    assert opened(tmp_path / "photos").edges == ("edge-00", "edge-01")


def function(monkeypatch: pytest.MonkeyPatch, returned: Any) -> str:
    module = ModuleType("mine_by_edge")
    module.__dict__["data"] = lambda: returned
    monkeypatch.setitem(sys.modules, "mine_by_edge", module)
    return "mine_by_edge:data"


def test_a_function_may_give_pairs_or_arrays_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    held = with_test(10)
    pair = (held["x_train"], held["y_train"])
    test = (held["x_test"], held["y_test"])
    data = opened(function(monkeypatch, {"a": pair, "b": (pair, test), 3: held}))
    assert data.edges == ("3", "a", "b")
    for name in ("b", "3"):
        assert data.edge(name).test is not None
    assert np.array_equal(data.edge("b").train.inputs[..., 0].shape[1:], (4, 4))


def test_a_key_in_an_npz(tmp_path: Path) -> None:
    held = with_test(10) | {"user": np.array([7] * 4 + [12] * 6), "user_test": [7, 7, 12]}
    np.savez(tmp_path / "all.npz", **held)
    data = opened(tmp_path / "all.npz", kind=PartitionKind.KEY, key="user", guard_fraction=0.0)
    assert data.edges == ("12", "7")
    assert (len(data.edge("7").train), len(data.edge("12").train), len(data.test)) == (4, 6, 3)
    own = data.own_test("7")
    assert own is not None
    assert len(own) == 2
    with pytest.raises(DataError, match=r"has no array 'edge' \(partition\.key\)"):
        opened(tmp_path / "all.npz", kind=PartitionKind.KEY)
    with pytest.raises(ConfigError, match=r"needs an \.npz or \.csv file or a TFDS"):
        opened("digits", kind=PartitionKind.KEY)


@pytest.mark.slow
def test_a_feature_of_tfds(tfds_dir: str) -> None:
    config = Config()
    config.data.name, config.data.data_dir = "mnist", tfds_dir
    config.partition.kind, config.partition.key = PartitionKind.KEY, "label"
    data = federated_data(config)
    assert data.edges == tuple("0123456789")
    assert set(data.edge("4").train.labels.tolist()) == {4}
    config.partition.key = "user"
    with pytest.raises(DataError, match=r"no feature 'user' \(partition\.key\); it has image, la"):
        federated_data(config)


def test_fields_that_count_for_nothing_are_told(tmp_path: Path) -> None:
    place = folder(tmp_path / "h", {name: arrays(10) for name in "abc"})
    data = opened(place, num_edges=5)
    assert data.notes == (
        "the data says which edge has what (3 edges): partition.num_edges is not used",
    )
    assert opened(place).notes == ()
    assert counted(Config(), data).partition.num_edges == 3


def test_more_edges_a_round_than_edges(tmp_path: Path) -> None:
    config = Config(edges_per_round=4)
    config.data.name = str(folder(tmp_path / "h", {name: arrays(10) for name in "abc"}))
    with pytest.raises(ConfigError, match="edges_per_round is 4, but there are 3 edges"):
        federated_data(config)


def without(held: Arrays, name: str) -> Arrays:
    return {each: array for each, array in held.items() if each != name}


BAD: dict[str, tuple[Arrays, str]] = {
    "shape": (
        arrays(6) | {"x_train": np.zeros((6, 5, 4), np.uint8)},
        r"edge 'south' differs from edge 'north': inputs uint8\(5, 4, 1\), and uint8\(4, 4, 1\)",
    ),
    "dtype": (
        arrays(6) | {"x_train": np.zeros((6, 4, 4))},
        r"edge 'south' differs from edge 'north': inputs float32\(4, 4, 1\), and uint8",
    ),
    "range": (
        arrays(6) | {"value_range": [0, 16]},
        r"edge 'south' differs from edge 'north': the value range \(0.0, 16.0\), and \(0.0, 255",
    ),
    "one-hot": (arrays(6) | {"y_train": np.eye(6)}, r"edge 'south', train: labels.*argmax"),
    "negative": (arrays(6) | {"y_train": [-1] * 6}, r"edge 'south', train: label -1 of example 0"),
    "empty test": (
        arrays(6) | {"x_test": np.zeros((0, 4, 4), np.uint8), "y_test": np.zeros(0, np.int64)},
        r"edge 'south', test: the test set is empty; .* leave x_test and y_test out",
    ),
    "half a test": (arrays(6) | {"y_test": [0]}, r"edge 'south' has no x_test; it has x_train"),
    "no labels": (without(arrays(6), "y_train"), r"edge 'south' has no y_train; it has x_train"),
    "names": (
        arrays(6) | {"y_train": list("abcabc")},
        r"edge 'south' names its classes, edge 'north' has numbers alone; give it an array classes",
    ),
    "unknown class": (
        arrays(6) | {"y_train": list("abcabc"), "classes": list("ab")},
        r"edge 'south': unknown class 'c'; its array classes names a, b",
    ),
    "group": (
        arrays(6)
        | {"x_guard": np.zeros((1, 4, 4), np.uint8), "y_guard": [0]}
        | {"group": [1, 2, 3, 4, 5, 6], "group_guard": [5]},
        r"edge 'south': group 5 has examples in train and in guard; move all examples of a group",
    ),
    "groups": (arrays(6) | {"group": [1]}, r"edge 'south', train: groups have shape \(1,\)"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_input_is_one_line_that_names_the_edge(tmp_path: Path, fault: str) -> None:
    held, message = BAD[fault]
    with pytest.raises(DataError, match=message) as raised:
        opened(folder(tmp_path / "h", {"north": arrays(9), "south": held})).edge("south")
    assert "\n" not in str(raised.value)


def test_labels_from_1_without_names(tmp_path: Path) -> None:
    held = arrays(6) | {"y_train": [1, 2, 3, 1, 2, 3]}
    with pytest.raises(DataError, match="labels begin at 1 and have no names; number the classes"):
        opened(folder(tmp_path / "h", {"north": held, "south": held}))
    assert len(opened(folder(tmp_path / "i", {"north": held, "south": arrays(9)})).edges) == 2


def test_one_edge_that_may_count_from_1_is_told(tmp_path: Path) -> None:
    inputs, labels = np.zeros((12, 2), np.float32), np.arange(12) % 3
    for edge, first in (("north", 0), ("south", 1)):
        np.savez(tmp_path / f"{edge}.npz", x_train=inputs, y_train=labels + first)
    config = Config()
    config.data.name = str(tmp_path)
    said = "edge 'south' has the labels 1 to 3, the others begin at 0 and end at 2"
    assert any(note.startswith(said) for note in federated_data(config).notes)
    np.savez(tmp_path / "south.npz", x_train=inputs, y_train=np.minimum(labels + 1, 2))
    assert not any("labels 1 to" in note for note in federated_data(config).notes)


def test_the_global_test_set_has_no_other_classes(tmp_path: Path) -> None:
    held = arrays(6) | {"y_train": list("ababab")}
    test = {"x_test": np.zeros((2, 4, 4), np.uint8), "y_test": list("ac")}
    with pytest.raises(DataError, match="the global test set has the unknown class 'c'; the edges"):
        opened(folder(tmp_path / "h", {"north": held, "test": test}))


@pytest.mark.parametrize("name", ["a b", "ä", "global", "..b", "a/b", ""])
def test_names_that_no_edge_can_have(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(DataError, match=rf"an edge can't have the name {name!r}; use letters"):
        opened(function(monkeypatch, {name: arrays(9), "b": arrays(9)}))


def test_a_name_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder(tmp_path / "h", {"north": arrays(9)})
    pictures(place / "north" / "train", cat=2, dog=2)
    with pytest.raises(DataError, match=r"edge 'north' is there twice: .*north and .*north\.npz"):
        opened(place)
    with pytest.raises(DataError, match="edge '1' is there twice"):
        opened(function(monkeypatch, {1: arrays(9), "1": arrays(9)}))
    with pytest.raises(DataError, match="'North' and 'north' differ in capital letters alone"):
        opened(function(monkeypatch, {"north": arrays(9), "North": arrays(9)}))


def of_group(data: FederatedData, groups: np.ndarray[Any, Any]) -> list[set[int]]:
    """The groups of each part; example number n begins with the value 16 n."""
    edge = data.edge("north")
    assert edge.test is not None
    parts = (edge.train, edge.guard, edge.test)
    return [set(groups[part.inputs[:, 0, 0, 0] // 16].tolist()) for part in parts]


def test_groups_stay_whole_in_guard_and_test_set(tmp_path: Path) -> None:
    groups = np.array([1, 2, 3, 4, 5, 6, 7, 7] * 2)
    place = folder(tmp_path / "h", {"north": arrays(16) | {"group": groups}})
    train, guard, test = of_group(opened(place), groups)
    assert all((train, guard, test))
    assert not (train & guard or train & test or guard & test)
    assert train | guard | test == set(range(1, 8))
    assert of_group(opened(place), groups) == [train, guard, test]
