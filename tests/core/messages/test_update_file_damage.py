"""Update files that are damaged, foreign, or no update at all."""

import json
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from updates_for_tests import (
    INFO,
    foreign_file,
    metadata,
    sound_weights,
)

from ecavg_tf.core.messages.update_file import (
    Update,
    write_update,
)


@pytest.mark.parametrize(
    "changes",
    [
        {"round": "3"},
        {"round": True},
        {"round": 3.0},
        {"round": None},
        {"examples": 6.5},
        {"examples": True},
        {"class_counts": "123"},
        {"class_counts": 6},
        {"class_counts": [1, 2.0, 3]},
        {"class_counts": [1, True, 3]},
        {"class_counts": {"0": 6}},
        {"metrics": 5},
        {"metrics": None},
    ],
)
def test_metadata_of_the_wrong_kind_is_refused_by_file_name(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    path = foreign_file(tmp_path / "update.safetensors", json.dumps(metadata(**changes)))
    with pytest.raises(ValueError, match=r"update\.safetensors"):
        Update(path)


@pytest.mark.parametrize("field", sorted(metadata()))
def test_a_missing_field_is_refused_and_named(tmp_path: Path, field: str) -> None:
    fields = metadata()
    del fields[field]
    path = foreign_file(tmp_path / "update.safetensors", json.dumps(fields))
    with pytest.raises(ValueError, match=field):
        Update(path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '"text"', "\x00", '{"round": ' + "1" * 5000 + "}"]
)
def test_metadata_that_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError):
        Update(foreign_file(tmp_path / "update.safetensors", text))


def test_metadata_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    """One edge's strange file must not stop the round with another kind of error."""
    text = '{"metrics": ' + "[" * 100_000 + "]" * 100_000 + "}"
    with pytest.raises(ValueError):
        Update(foreign_file(tmp_path / "update.safetensors", text))


def test_a_safetensors_file_without_our_metadata_is_refused(tmp_path: Path) -> None:
    header = b'{"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'
    path = tmp_path / "update.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(ValueError, match=r"update\.safetensors is not a file of ours"):
        Update(path)


def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.safetensors"
    write_update(whole, INFO, sound_weights())
    content = whole.read_bytes()
    cut = tmp_path / "cut.safetensors"
    for length in range(len(content)):
        cut.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"cut\.safetensors is not a file of ours"):
            Update(cut)


def test_a_file_with_bytes_after_its_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "update.safetensors"
    write_update(path, INFO, sound_weights())
    path.write_bytes(path.read_bytes() + b"\x00")
    with pytest.raises(ValueError, match=r"update\.safetensors"):
        Update(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"garbage", b"\xff" * 200, b"\x00" * 200, b"PK\x03\x04" + b"\x00" * 200, b"{}" * 100],
)
def test_garbage_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "update.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"update\.safetensors is not a file of ours"):
        Update(path)


class Marker:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickled_file_is_refused_and_not_run(tmp_path: Path) -> None:
    path, marker = tmp_path / "update.safetensors", tmp_path / "marker"
    path.write_bytes(pickle.dumps(Marker(marker)))
    with pytest.raises(ValueError, match="not a file of ours"):
        Update(path)
    assert not marker.exists()
    pickle.loads(path.read_bytes())
    assert marker.exists(), "the file was harmless, so the test showed nothing"


def test_a_pickled_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "update.safetensors"
    with path.open("wb") as stream:
        np.save(stream, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="not a file of ours"):
        Update(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.safetensors"):
        Update(tmp_path / "none.safetensors")
    with pytest.raises(ValueError):
        Update(tmp_path)


def test_asking_for_a_weight_that_is_not_there_is_a_value_error(tmp_path: Path) -> None:
    path = tmp_path / "update.safetensors"
    write_update(path, INFO, sound_weights())
    with pytest.raises(ValueError, match=r"update\.safetensors, nothing"):
        Update(path)["nothing"]
