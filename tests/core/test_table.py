"""Tables in CSV files: what is read, and what is refused by row and column."""

import csv
from pathlib import Path

import numpy as np
import pytest

from ecavg_tf.core import table as tables
from ecavg_tf.core.columns import positions
from ecavg_tf.core.errors import DataError
from ecavg_tf.core.table import Table, read_header, read_table

SOUND = "age,label,size,group\n1,cat,2.5,p1\n\n-3e2, dog ,0,p2\n"


def written(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "mine.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(tmp_path: Path, content: str | bytes, **how: object) -> Table:
    return read_table(written(tmp_path, content), **how)  # type: ignore[arg-type]


def test_numbers_and_texts(tmp_path: Path) -> None:
    found = read(tmp_path, SOUND)
    assert found.columns == ("age", "size")
    assert found.inputs.dtype == np.float32
    assert found.inputs.tolist() == [[1, 2.5], [-300, 0]]
    assert {name: held.tolist() for name, held in found.texts.items()} == {
        "label": ["cat", "dog"],
        "group": ["p1", "p2"],
    }
    assert found.rows.tolist() == [2, 4]


def test_parts_of_a_table(tmp_path: Path) -> None:
    head = read_header(written(tmp_path, SOUND))
    assert (head.columns, head.inputs.shape, sorted(head.texts)) == (
        ("age", "size"),
        (0, 2),
        ["group", "label"],
    )
    texts = read(tmp_path, SOUND, numbers=False)
    assert texts.texts["label"].tolist() == ["cat", "dog"]
    assert texts.inputs.shape == (0, 2)
    passed = read(tmp_path, SOUND, texts=("label", "group"), labelled=False)
    assert (passed.texts, passed.columns) == ({}, ("age", "size"))
    assert read(tmp_path, "a,b\n1,2\n", labelled=False).columns == ("a", "b")
    assert read(tmp_path, "0,1\n5,6\n", labelled=False).inputs.tolist() == [[5, 6]]


def test_another_column_of_labels_and_other_texts(tmp_path: Path) -> None:
    found = read(tmp_path, "label,ward,kind\n7,east,cat\n", label="kind", texts=("ward",))
    assert found.columns == ("label",)
    assert {name: held.tolist() for name, held in found.texts.items()} == {
        "kind": ["cat"],
        "ward": ["east"],
    }


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffage;label;size;group\n1;cat;2.5;p1\n-3e2;dog;0;p2\n",  # a spreadsheet's
        'age\tlabel\tsize\tgroup\r\n1\t"cat"\t2.5\tp1\r\n-3e2\tdog\t0\tp2',
        'age, label, size, group\n1, "cat", 2.5, p1\n-3e2, dog, 0, p2\n   \n',
    ],
)
def test_how_other_programs_write(tmp_path: Path, content: str) -> None:
    found = read(tmp_path, content)
    assert (found.columns, found.inputs.tolist()) == (("age", "size"), [[1, 2.5], [-300, 0]])
    assert found.texts["label"].tolist() == ["cat", "dog"]


def test_more_rows_than_are_converted_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_CELLS_AT_ONCE", 4)
    rows = "".join(f"{n},{-n},c\n" for n in range(7))
    found = read(tmp_path, "a,b,label\n" + rows)
    assert found.inputs.tolist() == [[n, -n] for n in range(7)]
    with pytest.raises(DataError, match=r"row 9, column 'b' is 'x'; expected a number, as in"):
        read(tmp_path, "a,b,label\n" + rows + "7,x,c\n")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is empty; expected a header"),
        ("\n\n", "is empty; expected a header"),
        ("a,label\n", "has a header and no row"),
        ("label,group\ncat,1\n", "has no column of numbers beside label, group"),
        ("a,b\n1,2\n", r"has no column 'label' for the labels; its columns are a, b; .*--label-"),
        ("1,2,0\n3,4,1\n", "its first row is 1, 2, 0; expected a header"),
        (",a,label\n0,1,cat\n", r"column 1 has no name; .*index=False"),
        ("a,label,a\n0,cat,1\n", "column 'a' is there 2 times"),
        ("a\x1b,label\n0,cat\n", "can't be printed; rename it"),
        ("a" * 201 + ",label\n0,cat\n", "the name of column 1 has 201 characters, at most 200"),
        ("a,label\n1,cat\n1\n", "row 3 has 1 cells, the header 2"),
        ("a,label\n1,cat,2\n", "row 2 has 3 cells, the header 2"),
        (
            "a,label\n1,cat\n\n,dog\n",
            "row 4, column 'a' is empty; fill it in, or leave the row out",
        ),
        ("a,label\n1,cat\n2,\n", "row 3, column 'label' is empty"),
        ("a,label,group\n1,cat, \n", "row 2, column 'group' is empty"),
        ("a,label\nx,cat\n", "row 2, column 'a' is 'x'; expected a number, as in every column but"),
        ("a;label\n1,5;cat\n", "row 2, column 'a' is '1,5'; .*write numbers with a decimal point"),
        ("a,label\nnan,cat\n", "row 2, column 'a' is 'nan'; expected a finite number"),
        ("a,label\n1e39,cat\n", "row 2, column 'a' is '1e39'; expected a finite number"),
        ("a,label\n1_000,cat\n", "row 2, column 'a' is '1_000'; expected a number"),
        ("a,label\n\x1d2,cat\n", r"row 2, column 'a' is '\\x1d2'; expected a number"),
        ("a,label\n1," + "c" * 201, "row 2, column 'label' has 201 characters, at most 200"),
        ('a,label\n1,"cat\n', "row 2 can't be read as CSV: unexpected end of data"),
        ('a,label\n"1"2,cat\n', "row 2 can't be read as CSV"),
        (
            "a,label\r1,cat\r",
            "row 1 can't be read as CSV: its lines end in a carriage return alone",
        ),
        ("a,label\n1,cat\n".encode("utf-16"), "line 1 (holds a NUL byte|is no UTF-8 text)"),
        ("a,label\n1,größe\n".encode("latin-1"), "line 2 is no UTF-8 text; save the file as CSV"),
        ("a,label\n1,c\0t\n", "line 2 holds a NUL byte"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: str | bytes, problem: str) -> None:
    with pytest.raises(DataError, match=problem) as refused:
        read(tmp_path, content)
    assert "mine.csv" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_what_would_need_all_memory(tmp_path: Path) -> None:
    for content, problem in (
        ("a,label\n" + "1" * (csv.field_size_limit() + 1) + ",cat\n", "row 2 can't be read as CSV"),
        (b"1" * (2**24 + 1), "line 1 has more than 16777216 bytes; it is no CSV file"),
        (",".join(f"c{n}" for n in range(10**6)), "has 1000000 columns, at most 100000 are read"),
    ):
        with pytest.raises(DataError, match=problem) as refused:
            read(tmp_path, content)
        assert len(str(refused.value)) < 400


def test_no_regular_file(tmp_path: Path) -> None:
    for path, problem in (
        (tmp_path / "no.csv", "is not there"),
        (Path("/dev/zero"), "is no regular file"),
        (tmp_path, "is no regular file"),
    ):
        for reading in (read_table, read_header):
            with pytest.raises(DataError, match=problem):
                reading(path)


def test_columns_are_matched_by_name() -> None:
    assert positions("x", ("a", "b"), ("a", "b")) is None
    found = positions("x", ("b", "c", "a"), ("a", "b", "c"))
    assert found is not None
    assert found.tolist() == [2, 0, 1]
    with pytest.raises(DataError, match="x: column 'c' is missing; the columns needed are a, c"):
        positions("x", ("a", "b"), ("a", "c"))
    with pytest.raises(DataError, match="x: columns 'c', 'd' are unknown; the columns needed are"):
        positions("x", ("d", "a", "c"), ("a",))
