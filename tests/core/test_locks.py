"""A folder that one process has locked is no other's until it lets go."""

from pathlib import Path

import pytest

from ecavg_tf.core.files import LOCK
from ecavg_tf.core.locks import lock_folder


def test_a_folder_is_locked_once_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "when missing"
    with lock_folder(folder):
        assert (folder / LOCK).exists()
        with pytest.raises(BlockingIOError):
            lock_folder(folder)
    lock_folder(folder).close()


def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        lock_folder(tmp_path / "file")
