"""Files are written whole or not at all, and JSON is the same bytes every time."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecavg_tf.core.files import (
    LOCK,
    atomic_path,
    canonical_json,
    file_sha256,
    remove_leftovers,
    write_bytes,
    write_json,
    write_text,
)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_file_and_no_temporary(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_path(path) as temporary:
        temporary.write_bytes(b"half of the ne")
        raise error
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_exception_before_the_first_file_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError), atomic_path(tmp_path / "model.bin") as temporary:
        temporary.write_bytes(b"half")
        raise ValueError
    assert list(tmp_path.iterdir()) == []


def test_the_old_file_stays_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"old")
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_of_the_old_file_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"old content")
    with path.open("rb") as stream:
        write_bytes(path, b"new")
        assert stream.read() == b"old content"


def test_the_temporary_lies_beside_the_file_hidden_and_with_its_suffix(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with atomic_path(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == ".keras"
        assert temporary.name.startswith(".")
        assert temporary != path


def test_a_saver_that_replaces_the_temporary_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    with atomic_path(path) as temporary:
        other = tmp_path / "other"
        other.write_bytes(b"new")
        other.replace(temporary)
    assert path.read_bytes() == b"new"


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "c.txt", "é")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "é".encode()


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_permissions_follow_the_umask_which_stays(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_bytes(tmp_path / "file.bin", b"content")
        kept = os.umask(umask)
    finally:
        os.umask(before)
    assert kept == umask
    assert (tmp_path / "file.bin").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: {"a": [1, x]}], ids=["bare", "nested"])
def test_json_refuses_what_it_has_no_word_for(
    tmp_path: Path, value: float, wrap: Callable[[float], Any]
) -> None:
    path = tmp_path / "results.json"
    path.write_text("old")
    with pytest.raises(ValueError):
        write_json(path, wrap(value))
    with pytest.raises(ValueError):
        canonical_json(wrap(value))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_canonical_json_does_not_depend_on_the_order_of_dicts() -> None:
    assert canonical_json({"b": {"d": 1, "c": [2.5, None]}, "a": True}) == (
        '{"a":true,"b":{"c":[2.5,null],"d":1}}'
    )
    assert canonical_json({"a": True, "b": {"c": [2.5, None], "d": 1}}) == (
        '{"a":true,"b":{"c":[2.5,null],"d":1}}'
    )


def test_canonical_json_is_ascii_so_its_bytes_depend_on_no_locale() -> None:
    assert canonical_json("é\n\u2028") == '"\\u00e9\\n\\u2028"'


def test_written_json_keeps_the_order_given_and_ends_its_last_line(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_json(path, {"b": 1, "a": [0.1, "é"]})
    text = path.read_text()
    assert text.endswith("}\n")
    assert text.index('"b"') < text.index('"a"')
    assert json.loads(text) == {"b": 1, "a": [0.1, "é"]}


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    path = tmp_path / "large.bin"
    path.write_bytes(content)
    assert file_sha256(path) == hashlib.sha256(content).hexdigest()


def test_only_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    left = f".ecavg-{'0a' * 8}-model.keras"
    for place in ("", "rounds/0001", "exchange"):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        for name in (left, LOCK, ".ecavg-notes", "model.keras"):
            (tmp_path / place / name).write_text("")
    (tmp_path / "rounds" / "link").symlink_to(tmp_path / "exchange")
    remove_leftovers(tmp_path, ("rounds",))
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob(left)}
    assert found == {f"exchange/{left}"}
    remove_leftovers(tmp_path / "exchange")
    kept = {LOCK, ".ecavg-notes", "model.keras"}
    for place in ("rounds/0001", "exchange"):
        assert {path.name for path in (tmp_path / place).iterdir()} == kept
