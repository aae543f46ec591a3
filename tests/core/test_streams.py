"""Standard streams as they are in the world: closed, full, or of an old encoding."""

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ecavg_tf.core import files
from ecavg_tf.core.commands import CLOSED, exit_code_of
from ecavg_tf.core.errors import OutputError, WorkdirError, disk_errors
from ecavg_tf.core.stderr import held_back_stderr
from ecavg_tf.core.streams import keep_descriptors, prepare_streams

COMMAND = r"""
import os, sys
from ecavg_tf.core.commands import exit_code_of
from ecavg_tf.core.stderr import held_back_stderr

def command():
    print("one \xb7 two \u2192 three")
    with held_back_stderr():
        os.write(2, b"noise of C++")
    os.write(2, b"told")
    return 0

{closing}
sys.exit(exit_code_of(command, "ecavg"))
"""


def ran(
    closing: str = "", *, stdout: int | io.IOBase = subprocess.PIPE, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", COMMAND.format(closing=closing)],
        stdout=stdout,  # type: ignore[arg-type]
        stderr=subprocess.PIPE,
        env={**os.environ, **variables},
        check=False,
    )


@pytest.mark.parametrize(
    ("variables", "printed"),
    [
        ({"PYTHONIOENCODING": "ascii"}, b"one ? two ? three"),
        ({"PYTHONIOENCODING": "cp1252"}, b"one \xb7 two ? three"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, b"one ? two ? three"),
        ({"PYTHONIOENCODING": "utf-8"}, "one · two → three".encode()),
    ],
)
def test_a_sign_that_can_not_be_encoded(variables: dict[str, str], printed: bytes) -> None:
    done = ran(**variables)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, printed, b"told")


@pytest.mark.parametrize(
    "closing",
    [
        "os.close(2)",
        "os.close(1); os.close(2)",
        "os.close(0); os.close(1); os.close(2); sys.stdin = sys.stdout = sys.stderr = None",
        "sys.stdout = sys.stderr = None",
        "sys.stderr.close()",
    ],
)
def test_closed_streams(closing: str) -> None:
    assert ran(closing).returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_output_is_named(unbuffered: str) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = ran(stdout=full, PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == OutputError.exit_code
    (line,) = done.stderr.removeprefix(b"told").decode().splitlines()
    assert line.startswith("ecavg: standard output can't be written (No space left on device)")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_output_is_not_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(OutputError), disk_errors("run"):
            print("round 1", flush=True)
        monkeypatch.undo()
        with pytest.raises(OSError, match="No space"):
            full.close()
    with (
        pytest.raises(WorkdirError, match=r"^run can't be written: the disk is full") as raised,
        disk_errors("run"),
        open("/dev/full", "w") as disk,  # noqa: PTH123
    ):
        disk.write("weights")
    assert not isinstance(raised.value, OutputError)


def test_a_pipe_that_nobody_reads_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = ran(stdout=pipe, PYTHONUNBUFFERED="")
    assert (done.returncode, done.stderr) == (CLOSED, b"told")


def test_streams_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = io.StringIO()
    monkeypatch.setattr(sys, "stdout", notebook)
    prepare_streams()
    keep_descriptors()
    assert exit_code_of(lambda: print("→") or 0, "ecavg") == 0
    assert sys.stdout is notebook
    assert notebook.getvalue() == "→\n"


def test_two_threads_do_not_lose_standard_error() -> None:
    before = os.fstat(2)
    second_in, first_out = threading.Event(), threading.Event()

    def first() -> None:
        with held_back_stderr():
            second_in.wait(0.3)  # it must not come in meanwhile
        first_out.set()

    def second() -> None:
        with held_back_stderr():
            second_in.set()
            first_out.wait(5)

    threads = [threading.Thread(target=target) for target in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert os.path.samestat(os.fstat(2), before)


def test_a_written_file_follows_the_umask_and_never_sets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0o027)
    try:
        monkeypatch.setattr(os, "umask", None)  # other threads would write with it, too
        files.write_text(tmp_path / "a.json", "{}")
    finally:
        monkeypatch.undo()
        os.umask(before)
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o640
