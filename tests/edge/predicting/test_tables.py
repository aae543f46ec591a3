"""Predicting of the rows of a table, and of arrays that are no pictures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecavg_tf.core.errors import DataError
from edge.predicting.inputs import Wanted, load_inputs

WANTED = Wanted((2,), "float32", (0.0, 9.0), columns=("age", "size"))


def rows(path: Path, wanted: Wanted = WANTED) -> tuple[list[str], list[list[float]], list[str]]:
    told: list[str] = []
    found = list(load_inputs([str(path)], wanted, tell=told.append))
    assert all(values.shape == (1, *wanted.shape) for _, values in found)
    return [name for name, _ in found], [values[0].tolist() for _, values in found], told


def test_rows_are_matched_by_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("size,age\n2,1\n\n4,3\n")
    assert rows(path) == ([f"{path} row 2", f"{path} row 4"], [[1, 2], [3, 4]], [])
    path.write_text("size,label,age,group\n2,,1,p1\n")  # labelled, in part
    assert rows(path)[1] == [[1, 2]]
    path.write_text("size,kind,age\n2,cat,1\n")
    assert rows(path, replace(WANTED, label_column="kind"))[1] == [[1, 2]]
    assert rows(tmp_path, replace(WANTED, label_column="kind"))[1] == [[1, 2]]
    path.write_text("edge,label\n2,1\n")  # names that have no other meaning for this model
    assert rows(path, replace(WANTED, columns=("label", "edge")))[1] == [[1, 2]]


def test_a_model_that_names_no_columns(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("size,age\n2,1\n")
    _, found, told = rows(path, replace(WANTED, columns=None))
    assert found == [[2, 1]]
    assert told == [
        f"note: {path}: the model names no columns, so they are taken in the file's order"
    ]


@pytest.mark.parametrize(
    ("text", "wanted", "problem"),
    [
        ("size\n2\n", WANTED, "column 'age' is missing; the columns needed are age, size"),
        ("size,age,x\n2,1,0\n", WANTED, "column 'x' is unknown"),
        ("size,age\n2,\n", WANTED, "row 2, column 'age' is empty"),
        ("size,age\n2,one\n", WANTED, "row 2, column 'age' is 'one'; expected a number"),
        ("a,b,c\n1,2,3\n", replace(WANTED, columns=None), r"shape \(1, 3\), expected \(n, 2\)"),
        (
            "a,b\n1,2.5\n",
            Wanted((2,), "int32", (0.0, 9.0)),
            "row 2 holds fractions, the model takes whole",
        ),
        ("a,b\n1,2\n", Wanted((8, 8, 1), "uint8", (0.0, 9.0)), "no rows of a table; give arrays"),
    ],
)
def test_rows_that_do_not_fit(tmp_path: Path, text: str, wanted: Wanted, problem: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=problem):
        rows(path, wanted)


def test_arrays_of_any_shape(tmp_path: Path) -> None:
    signals = np.arange(24, dtype=np.float32).reshape(2, 4, 3) / 3
    tokens = np.arange(6, dtype=np.int32).reshape(2, 3)
    np.savez(tmp_path / "signals.npz", x=signals, y=[0, 1])
    np.savez(tmp_path / "tokens.npz", tokens)
    np.savez(tmp_path / "table.npz", x=np.array([[2.0, 1.0]]), columns=["size", "age"])
    for name, wanted, expected in (
        ("signals", Wanted((4, 3), "float32", (0.0, 9.0)), signals.tolist()),
        ("tokens", Wanted((3,), "int32", (0.0, 9.0)), tokens.tolist()),
        ("table", WANTED, [[1, 2]]),
    ):
        names, found, _ = rows(tmp_path / f"{name}.npz", wanted)
        assert found == expected
        assert names[0] == f"{tmp_path / name}.npz[0]"


def test_a_picture_for_a_table(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"no pictures; give rows of a table \(\.csv\)"):
        rows(tmp_path / "a.png")
