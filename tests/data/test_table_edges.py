"""Edges whose data are tables: columns are matched by name, whatever their order."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ecavg_tf.config import Config, PartitionKind
from ecavg_tf.core.errors import DataError
from ecavg_tf.data.dataset import EdgeData
from ecavg_tf.data.edge_sources import is_folder_of_edges
from ecavg_tf.data.federated import FederatedData, federated_data
from ecavg_tf.data.sources import is_folder

NORTH = "age,label,size\n" + "".join(
    f"{n},{'cat' if n % 3 else 'dog'},{n / 10}\n" for n in range(10)
)
SOUTH = "size,age,label\n" + "".join(
    f"{n / 10},{n},{'cat' if n % 2 else 'fox'}\n" for n in range(20)
)


def opened(name: str | Path, kind: PartitionKind = PartitionKind.IID, **data: str) -> FederatedData:
    config = Config()
    config.data.name, config.partition.kind = str(name), kind
    config.partition.key = data.pop("key", "edge")
    for field, value in data.items():
        setattr(config.data, field, value)
    return federated_data(config)


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def is_in_order(data: EdgeData) -> bool:
    """Whether the first input is the age, and the second a tenth of it."""
    parts = [data.train, data.guard, *([data.test] if data.test is not None else [])]
    inputs = np.concatenate([part.inputs for part in parts])
    return bool(np.allclose(inputs[:, 0], 10 * inputs[:, 1]))


def test_a_folder_of_tables(tmp_path: Path) -> None:
    folder = written(tmp_path / "h", north=NORTH, south__train=SOUTH, south__test=NORTH)
    data = opened(folder)
    assert data.edges == ("north", "south")
    spec = data.spec
    assert (spec.columns, spec.classes) == (("age", "size"), ("cat", "dog", "fox"))
    assert (spec.input_shape, spec.dtype) == ((2,), "float32")
    north, south = (data.edge(name) for name in data.edges)
    assert is_in_order(north)
    assert is_in_order(south)
    assert [len(part) for part in (south.train, south.guard)] == [16, 4]
    assert south.test is not None
    assert south.test.labels.tolist() == [1, 0, 0, 1, 0, 0, 1, 0, 0, 1]
    written(folder, test=SOUTH.replace("fox", "dog"))
    shared = opened(folder).test
    assert (len(shared), shared.inputs[1].tolist()) == (20, pytest.approx([1, 0.1]))


def test_a_column_says_whose_a_row_is(tmp_path: Path) -> None:
    lines = SOUTH.splitlines()
    rows = [f"{line},{'east' if at % 4 else 'west'}" for at, line in enumerate(lines[1:])]
    folder = written(tmp_path / "h", all="\n".join([lines[0] + ",ward", *rows]))
    data = opened(folder / "all.csv", PartitionKind.KEY, key="ward")
    assert data.edges == ("east", "west")
    assert data.spec.columns == ("size", "age")
    assert len(data.test) == 4
    with pytest.raises(
        DataError, match=r"all\.csv: row 2, column 'ward' is 'west'; expected a num"
    ):
        opened(folder / "all.csv")
    with pytest.raises(DataError, match=r"has no column 'edge' \(partition\.key\)"):
        opened(written(folder, plain=SOUTH) / "plain.csv", PartitionKind.KEY)


def test_one_table_is_dealt_out(tmp_path: Path) -> None:
    folder = written(tmp_path / "h", plain=SOUTH.replace("label", "kind"))
    data = opened(folder / "plain.csv", label_column="kind")
    assert (data.edges, data.spec.columns) == (("edge-00", "edge-01"), ("size", "age"))
    assert (len(data.test), sum(len(data.edge(name).train) for name in data.edges)) == (4, 14)
    assert [note for note in data.notes if "column" in note] == []
    split = written(tmp_path / "split", train=SOUTH, test=NORTH.replace("dog", "fox"))
    assert opened(split).test.inputs[3].tolist() == pytest.approx([0.3, 3])


def test_groups_stay_whole_in_one_table(tmp_path: Path) -> None:
    lines = SOUTH.splitlines()
    rows = [f"{line},p{at // 4}" for at, line in enumerate(lines[1:])]
    folder = written(tmp_path / "h", all="\n".join([lines[0] + ",group", *rows]))
    data = opened(folder / "all.csv")
    assert {int(age) // 4 for age in data.test.inputs[:, 1]} == {int(data.test.inputs[0, 1]) // 4}
    assert any("column group is not used to deal examples out" in note for note in data.notes)


@pytest.mark.parametrize(
    ("south", "problem"),
    [
        (
            "age,label\n1,cat\n",
            "edge 'south': column 'size' is missing; the columns of edge 'north' are age",
        ),
        ("age,size,sex,label\n1,2,3,cat\n", "edge 'south': column 'sex' is unknown"),
        ("age,size\n1,2\n", r"south\.csv has no column 'label'"),
        ("age,size,label\n1,,cat\n", r"south\.csv: row 2, column 'size' is empty"),
    ],
)
def test_an_edge_whose_table_differs(tmp_path: Path, south: str, problem: str) -> None:
    folder = written(tmp_path / "h", north=NORTH, south=south)
    with pytest.raises(DataError, match=problem):
        opened(folder).edge("south")


def test_tables_beside_arrays(tmp_path: Path) -> None:
    folder = written(tmp_path / "h", north=NORTH)
    arrays = {
        "x_train": np.array([[2.0, 20], [3, 30]], np.float32),
        "y_train": ["cat", "dog"],
    }
    np.savez(folder / "south.npz", **arrays, columns=["size", "age"])
    data = opened(folder)
    assert data.edge("south").train.inputs.tolist() == [[20, 2], [30, 3]]
    np.savez(folder / "south.npz", **arrays)
    with pytest.raises(
        DataError, match="edge 'north' names its columns, edge 'south' does not; giv"
    ):
        opened(folder)
    np.savez(folder / "north.npz", **arrays)
    with pytest.raises(
        DataError, match=r"edge 'north' is there twice: .*north\.csv and .*north\.n"
    ):
        opened(folder)


def test_a_run_directory_called_digits_is_not_the_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "digits", results=NORTH)  # as a run writes
    monkeypatch.chdir(tmp_path)
    assert opened("digits").spec.input_shape == (8, 8, 1)


def test_names_for_inputs_that_have_none(tmp_path: Path) -> None:
    images = np.zeros((4, 4, 4), np.uint8)
    splits = {"x_train": images, "y_train": [0, 1, 0, 1], "x_test": images, "y_test": [0, 1, 0, 1]}
    np.savez(tmp_path / "a.npz", **splits, columns=["a", "b", "c", "d"])
    with pytest.raises(DataError, match=r"columns are 4 names, inputs have shape \(4, 4, 1\)"):
        opened(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", **splits, columns=[1, 2, 3, 4])
    with pytest.raises(
        DataError, match=r"columns have shape .* and dtype int64, expected the inputs'"
    ):
        opened(tmp_path / "a.npz")


def test_a_table_about_pictures_makes_no_edge(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(10):
            Image.fromarray(np.full((4, 4), 9 * number, np.uint8)).save(
                tmp_path / name / f"{number}.png"
            )
    written(tmp_path, labels="file,label\n0.png,cat\n")
    data = opened(tmp_path)
    assert data.spec.classes == ("cat", "dog")
    assert data.edges == ("edge-00", "edge-01")


def test_a_run_directory_is_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = written(tmp_path / "cifar10", results="round,who\n1,north\n")
    for name in ("config", "environment"):
        (run / f"{name}.json").write_text("{}")
    assert not is_folder_of_edges(run)
    assert not is_folder("cifar10")  # the set of TensorFlow Datasets
    assert is_folder("./cifar10")
    (run / "config.json").unlink()
    assert is_folder("cifar10")
