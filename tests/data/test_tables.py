"""Tables as data: their arrays by name, and a device's own."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from ecavg_tf.core.errors import DataError
from ecavg_tf.core.fields import Fields
from ecavg_tf.core.messages.inputs import Inputs
from ecavg_tf.data.tables import TableSource, keyed_arrays, parts_of
from edge.device.local_data import LocalData, load_local

HEAD = "age,label,size\n"
SAME = "size,age,label\n2,1,cat\n4,3,dog\n"  # as below, with the columns in another order
ROWS = "1,cat,2\n3,dog,4\n"
TAKEN = Inputs("pets", (2,), "float32", (0.0, 9.0), ("dog", "cat", "fox"), columns=("age", "size"))


def written(path: Path, **files: str) -> Path:
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        (path / f"{name}.csv").write_text(text)
    return path


def local(path: Path, taken: Inputs = TAKEN, **how: str) -> LocalData:
    return load_local(path, taken, edge="north", guard_fraction=0.0, seed=0, **how)  # type: ignore[arg-type]


def test_the_arrays_of_a_folder(tmp_path: Path) -> None:
    folder = written(
        tmp_path / "h",
        train="age,group,label,size\n1,p1,10,2\n3,p2,9,4\n",
        test="size,label,age\n6,2,5\n",
        other="not,read\n1,2\n",
    )
    source = TableSource(parts_of(folder))
    assert sorted(source.names) == [
        *("classes", "columns", "group", "x_test", "x_train", "y_test", "y_train"),
    ]
    assert source.read("columns").tolist() == ["age", "size"]
    assert source.read("classes").tolist() == ["2", "9", "10"]
    assert source.read("x_train").tolist() == [[1, 2], [3, 4]]
    assert source.read("x_test").tolist() == [[5, 6]]
    assert (source.read("y_train").tolist(), source.read("y_test").tolist()) == ([2, 1], [0])
    assert source.read("group").tolist() == ["p1", "p2"]
    assert source.header("x_train") == ((2, 2), np.dtype(np.float32))
    written(folder, guard="age,weight,label\n1,1,2\n")
    with pytest.raises(
        DataError, match=r"guard\.csv: column 'size' is missing; the columns needed"
    ):
        TableSource(parts_of(folder))


def test_where_tables_are(tmp_path: Path) -> None:
    folder = written(tmp_path / "h", test=HEAD + ROWS, north=HEAD + ROWS)
    assert parts_of(folder) == {}
    assert parts_of(folder / "north.csv", "test") == {"test": folder / "north.csv"}
    assert parts_of(tmp_path / "no.csv") == {"train": tmp_path / "no.csv"}
    assert parts_of(tmp_path / "no") == {}


def test_a_device_matches_columns_and_classes_by_name(tmp_path: Path) -> None:
    folder = written(tmp_path / "h", one=HEAD + ROWS, other=SAME)
    one, other = (local(folder / f"{name}.csv").edge.train for name in ("one", "other"))
    assert one.inputs.tolist() == [[1, 2], [3, 4]]
    assert one.labels.tolist() == [1, 0]
    np.testing.assert_array_equal(one.inputs, other.inputs)
    np.testing.assert_array_equal(one.labels, other.labels)
    np.savez(
        tmp_path / "same.npz",
        x_train=np.array([[2, 1], [4, 3]], np.float32),
        y_train=[1, 0],
        columns=["size", "age"],
    )
    np.testing.assert_array_equal(local(tmp_path / "same.npz").edge.train.inputs, one.inputs)


def test_a_device_with_several_tables(tmp_path: Path) -> None:
    folder = written(tmp_path / "h", train=SAME, guard=HEAD + "5,fox,6\n", test=HEAD + "7,dog,8\n")
    found = local(folder)
    assert found.test is not None
    assert [part.inputs.tolist() for part in (found.edge.train, found.edge.guard, found.test)] == [
        [[1, 2], [3, 4]],
        [[5, 6]],
        [[7, 8]],
    ]
    assert found.edge.guard.labels.tolist() == [2]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("age,label\n1,cat\n", "column 'size' is missing; the columns needed are age, size"),
        ("age,size,sex,label\n1,2,0,cat\n", "column 'sex' is unknown; the columns needed are"),
        (HEAD + "1,cow,2\n", "class 'cow' is none of this run's; valid: dog, cat, fox"),
        (HEAD + "1,cat,\n", "row 2, column 'size' is empty"),
        ("age,size,kind\n1,2,cat\n", "has no column 'label' for the labels"),
    ],
)
def test_a_devices_table_that_does_not_fit(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        local(written(tmp_path / "h", mine=text) / "mine.csv")


def test_a_group_is_in_one_part_alone(tmp_path: Path) -> None:
    head = HEAD.strip() + ",group\n"
    folder = written(tmp_path / "h", train=head + "1,cat,2,p1\n", guard=head + "3,dog,4,p1\n")
    with pytest.raises(DataError, match="group p1 has examples in train and in guard"):
        local(folder)
    written(folder, guard=head + "3,dog,4,p2\n")
    assert len(local(folder).edge.guard) == 1


def test_another_column_has_the_labels(tmp_path: Path) -> None:
    path = written(tmp_path / "h", mine="age,size,kind\n1,2,cat\n") / "mine.csv"
    assert local(path, label_column="kind").edge.train.labels.tolist() == [1]


def test_a_model_of_whole_numbers_takes_no_fractions(tmp_path: Path) -> None:
    tokens = Inputs("words", (2,), "int32", (0.0, 9.0), ("dog", "cat"), columns=None)
    path = written(tmp_path / "h", mine=HEAD + ROWS) / "mine.csv"
    found = local(path, tokens).edge.train
    assert (found.inputs.dtype, found.inputs.tolist()) == (np.int32, [[1, 2], [3, 4]])
    written(tmp_path / "h", mine=HEAD + "1.5,cat,2\n")
    with pytest.raises(DataError, match="holds fractions"):
        local(path, tokens)


def test_a_column_names_the_edges(tmp_path: Path) -> None:
    text = "age,ward,label\n1,east,cat\n2,west,cat\n"
    folder = written(tmp_path / "h", all=text)
    found = keyed_arrays(folder / "all.csv", "label", "ward")
    assert found["ward"].tolist() == ["east", "west"]
    assert found["columns"].tolist() == ["age"]
    with pytest.raises(DataError, match=r"has no column 'hospital' \(partition\.key\)"):
        keyed_arrays(folder / "all.csv", "label", "hospital")


def test_the_task_carries_the_names_of_columns() -> None:
    for inputs in (TAKEN, Inputs("digits", (8, 8, 1), "uint8", (0.0, 16.0), ("0", "1"))):
        told = json.loads(json.dumps({"inputs": asdict(inputs)}))
        assert Inputs.field(Fields(told), "inputs") == inputs
        del told["inputs"]["columns"]  # as older servers write it
        assert Inputs.field(Fields(told), "inputs") == replace(inputs, columns=None)
