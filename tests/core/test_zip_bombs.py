"""Files that claim, or unpack to, far more than they are: refused before memory is spent."""

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from updates_for_tests import foreign_file

from ecavg_tf.core.bundles.bundle import read_bundle
from ecavg_tf.core.bundles.training_bundle import is_training_bundle
from ecavg_tf.core.errors import DataError, ExportError
from ecavg_tf.core.messages import tensor_places, update_file
from ecavg_tf.core.messages.update_file import TensorFile
from ecavg_tf.core.numpy_files import read_arrays
from export.reading.metadata import read_description


def full_of_names(path: Path) -> Path:
    """A zip of empty members, whose directory alone has 1.2 MB."""
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(12_000):
            archive.writestr(zipfile.ZipInfo(f"{number:054d}"), b"")
    return path


def test_a_zip_that_is_all_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, arrays = full_of_names(tmp_path / "b.bundle.zip"), tmp_path / "b.npz"
    arrays.write_bytes(bundle.read_bytes())
    made: list[object] = []
    original = zipfile.ZipInfo.__init__

    def counted(self: zipfile.ZipInfo, *given: object) -> None:
        made.append(self)
        original(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(zipfile.ZipInfo, "__init__", counted)
    with pytest.raises(ExportError, match="its directory is larger than 1048576 bytes"):
        read_bundle(bundle)
    with pytest.raises(DataError, match="its directory is larger than 1048576 bytes"):
        read_arrays(arrays)
    assert not is_training_bundle(bundle)
    with pytest.raises(ExportError, match="its directory is larger than 1048576 bytes"):
        read_description(bundle.read_bytes())
    assert not made


def test_a_packed_array_far_larger_than_its_file(tmp_path: Path) -> None:
    """A member that says that it is 1 GiB."""
    path = tmp_path / "x.npz"
    head = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1073741824,), }"
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + head.ljust(117) + b"\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", head)
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 2**30 + len(head))  # what it says of itself
    path.write_bytes(content)
    with pytest.raises(DataError, match="it unpacks to 1073741952 bytes, at most 268435456 are"):
        read_arrays(path)


def test_what_people_pack_is_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros((1000, 1000), np.uint8))
    assert read_arrays(tmp_path / "x.npz")["x"].shape == (1000, 1000)


def test_a_header_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = {f"{n}": ("F32", [1], struct.pack("<f", n)) for n in range(50)}
    stored = TensorFile(foreign_file(tmp_path / "u", "{}", tensors))
    monkeypatch.setattr(update_file, "Places", None)
    monkeypatch.setattr(TensorFile, "_open", None)
    assert [stored[f"{n}"].tolist() for n in range(50)] == [[n] for n in range(50)]


def test_more_arrays_than_a_model_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_places, "_MOST_ARRAYS", 2)
    tensors = {f"{n}": ("F32", [1], bytes(4)) for n in range(3)}
    with pytest.raises(ValueError, match="it has 3 arrays, at most 2 are read"):
        TensorFile(foreign_file(tmp_path / "u", "{}", tensors))


def test_a_header_longer_than_any_model_needs(tmp_path: Path) -> None:
    (tmp_path / "u").write_bytes(struct.pack("<Q", 2**40) + b"{}")
    with pytest.raises(ValueError, match="header has 1099511627776 bytes, at most 16777216"):
        TensorFile(tmp_path / "u")


def test_a_file_that_shrank_since_it_was_opened(tmp_path: Path) -> None:
    path = foreign_file(tmp_path / "u", "{}", {"a": ("F32", [2], bytes(8))})
    stored = TensorFile(path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ValueError, match="u, a: it lies outside of the file"):
        stored["a"]
