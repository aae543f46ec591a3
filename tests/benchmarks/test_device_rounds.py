"""The benchmark of runs without TensorFlow on the edges, and the processes that it plays."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from paths_for_tests import ROOT

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] != "Z"
    except OSError:
        return False


def ends(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(pid)


@pytest.mark.usefixtures("benchmarks")
def test_one_that_fails_ends_the_others(tmp_path: Path) -> None:
    from processes import Processes, ProcessFailed

    fails = [sys.executable, "-c", "import sys; print('no data'); sys.exit(3)"]
    with (
        pytest.raises(ProcessFailed, match=r"(?s)server ended with 3.*no data.*edge\.log") as told,
        Processes(tmp_path, os.environ) as processes,
    ):
        processes.start("edge", SLEEP)
        processes.start("server", fails)
        process = processes._started["edge"][0]
        processes.wait(["edge"], 30)
    assert str(tmp_path / "server.log") in str(told.value)
    assert process.returncode == -9


@pytest.mark.usefixtures("benchmarks")
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_time_runs_out_for_what_a_process_started_too(tmp_path: Path) -> None:
    from processes import Processes, ProcessFailed

    code = f"import subprocess; p = subprocess.Popen({SLEEP}); print(p.pid, flush=True); p.wait()"
    with (
        pytest.raises(ProcessFailed, match="edge did not end within 3 s"),
        Processes(tmp_path, os.environ) as processes,
    ):
        processes.start("edge", [sys.executable, "-c", code])
        processes.wait(["edge"], 3)
    assert ends(int((tmp_path / "edge.log").read_text().splitlines()[-1]))


@pytest.mark.slow
def test_finished_runs_are_read_and_not_repeated(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/device_rounds.py", "digits"]
    command += [f"--workdir={tmp_path}", "--seeds=1", "--timeout=300"]
    printed = [
        subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=600
        ).stdout.splitlines()
        for _ in range(2)
    ]
    played = [line for line in printed[0] if line.startswith("seed 0, ")]
    assert [line.split(": ")[0] for line in played] == [
        f"seed 0, {fleet}" for fleet in ("Keras", "oneDNN", "devices", "mixed")
    ]
    assert [line for line in printed[0] if line not in played] == printed[1]
    assert any(line.startswith("| devices | 0.") for line in printed[1])
