"""An edge's folder serves one process at a time, and a new owner clears what a killed one left."""

from pathlib import Path

import pytest

from ecavg_tf.core.errors import WorkdirError
from edge.device.checkpoint import locked


def test_a_second_process_is_refused_and_told_the_flag(tmp_path: Path) -> None:
    refusal = "in use by another process; stop it, or give this one another --workdir"
    with (
        locked(tmp_path / "edge-00", "--workdir"),
        pytest.raises(WorkdirError, match=refusal),
        locked(tmp_path / "edge-00", "--workdir"),
    ):
        pass


def test_the_owner_removes_what_was_left_half_written(tmp_path: Path) -> None:
    left = tmp_path / f".ecavg-{'0a' * 8}-update-0001.safetensors"
    left.write_text("half")
    with locked(tmp_path):
        assert not left.exists()
