"""Texts in numpy's files, which may be any numbers or bytes there, and arrays of other lengths."""

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecavg_tf.core.errors import DataError
from ecavg_tf.core.numpy_files import array_names, read_arrays
from ecavg_tf.data.groups import group_names
from ecavg_tf.data.keyed import sources_by_key


@pytest.mark.parametrize("kind", ["<U2", ">U2"])
def test_numbers_that_are_no_letters(tmp_path: Path, kind: str) -> None:
    numbers = np.array([ord("a"), 0x110000], kind[0] + "u4")
    np.savez(tmp_path / "x.npz", x_train=np.zeros(2), columns=numbers.view(kind))
    with pytest.raises(DataError, match="columns holds numbers that are no letters; save texts"):
        read_arrays(tmp_path / "x.npz")


@pytest.mark.parametrize("kind", ["|S0", "<U0", "|V0"])
def test_billions_of_entries_that_take_no_byte(tmp_path: Path, kind: str) -> None:
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': (2147483648,), }}".encode()
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + head.ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("y_train.npy", head)
    with pytest.raises(DataError, match="y_train claims 2147483648 entries of no bytes"):
        read_arrays(tmp_path / "x.npz")


def test_texts_of_any_language_and_length_are_read(tmp_path: Path) -> None:
    texts = {"a": np.array(["ä", "日本", "👩‍🚀"]), "b": np.array([], "U"), "c": np.array("x")}
    texts["d"] = texts["a"].astype(">U4")[::2]
    np.savez(tmp_path / "x.npz", **texts)  # type: ignore[arg-type]
    for name, found in read_arrays(tmp_path / "x.npz").items():
        assert found.tolist() == texts[name].tolist()


def test_bytes_as_names_of_edges_and_groups() -> None:
    sound, odd = (np.array([text, b"b"]) for text in ("ä".encode(), b"\xff"))
    assert group_names("here", sound, 2).tolist() == ["ä", "b"]
    with pytest.raises(DataError, match="here: bytes that are no UTF-8 came; save texts"):
        group_names("here", odd, 2)
    arrays = {"x_train": np.zeros((2, 3)), "y_train": np.array([0, 1])}
    with pytest.raises(DataError, match=r"data.npz: edge: bytes that are no UTF-8 came"):
        sources_by_key("data.npz", "edge", {**arrays, "edge": odd})


@pytest.mark.parametrize("short", ["x_train", "group", "x_test"])
def test_an_array_with_fewer_entries_than_edges_are_named(short: str) -> None:
    arrays = {
        **{f"x_{split}": np.zeros((3, 2)) for split in ("train", "test")},
        **{f"y_{split}": np.array([0, 1, 0]) for split in ("train", "test")},
        **{name: np.array(["a", "b", "b"]) for name in ("edge", "edge_test", "group")},
    }
    assert sorted(sources_by_key("data.npz", "edge", arrays)) == ["a", "b", "test"]
    with pytest.raises(
        DataError, match=rf"{short} has shape \(1,.*expected one entry for each of 3"
    ):
        sources_by_key("data.npz", "edge", {**arrays, short: arrays[short][:1]})


@pytest.mark.parametrize("read", [read_arrays, array_names])
def test_a_name_that_is_no_line(tmp_path: Path, read: Callable[[Path], object]) -> None:
    np.savez(tmp_path / "x.npz", **{"x\n\x1b[2J": np.zeros(2)})  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"an array has the name 'x\\n\\x1b\[2J', which can't"):
        read(tmp_path / "x.npz")
