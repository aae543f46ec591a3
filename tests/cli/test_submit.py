"""What a run over Flower says is shown at once, although Flower's own commands take seconds."""

import json
import sys
import threading
import time
from pathlib import Path

import pytest

from ecavg_tf.cli import submit
from ecavg_tf.core.errors import RoundError
from ecavg_tf.core.files import write_json
from server.carrying import superlink

SLOW = "import time; time.sleep({seconds}); print({answer!r})"


def flower(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seconds: float, status: str) -> None:
    """Another program in the place of ``flwr``."""
    answer = json.dumps({"success": True, "runs": [{"status": status}]})
    program = tmp_path / "flwr"
    code = SLOW.format(seconds=seconds, answer=answer)
    program.write_text(f"#!{sys.executable} -ISE\n{code}\n")
    program.chmod(0o755)
    monkeypatch.setattr(superlink, "program", lambda name: str(tmp_path / name))
    monkeypatch.setattr(submit, "_POLL_S", 0.02)


def test_what_is_said_is_printed_while_flower_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flower(monkeypatch, tmp_path, 30, "running")
    outcome = tmp_path / "outcome.json"

    def play() -> None:
        time.sleep(0.2)
        outcome.with_suffix(".log").write_text("round 1\n")
        time.sleep(0.2)
        write_json(outcome, {"exit_code": 7, "error": "why"})  # whole at once, as the server does

    thread = threading.Thread(target=play)
    thread.start()
    began = time.monotonic()
    assert submit._followed(tmp_path, "1", outcome) == 7
    thread.join()
    assert time.monotonic() - began < 15
    said = capsys.readouterr()
    assert (said.out, said.err) == ("round 1\n", "ecavg: why\n")


def test_a_run_that_flower_ended_is_no_success(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    flower(monkeypatch, tmp_path, 0, "finished:failed")
    with pytest.raises(
        RoundError, match=r"run 5 ended \(finished:failed\) .* the same command goes"
    ):
        submit._followed(tmp_path, "5", tmp_path / "outcome.json")


def test_a_server_that_does_not_answer_is_waited_for_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    flower(monkeypatch, tmp_path, 0, "running")
    (tmp_path / "flwr").write_text("#!/bin/sh\necho gone >&2\nexit 1\n")
    monkeypatch.setattr(submit, "_STATUS_S", 0.0)
    monkeypatch.setattr(submit, "_PATIENCE_S", 0.2)
    with pytest.raises(RoundError, match=r"the server does not answer any more .*ecavg serve"):
        submit._followed(tmp_path, "5", tmp_path / "outcome.json")
