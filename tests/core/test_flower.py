"""What both ends need of Flower, without Flower."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ecavg_tf.core import flower
from ecavg_tf.core.errors import ConfigError, InstallationError
from ecavg_tf.core.flower import Supervised, check_flower, check_insecure, split_address


def test_a_missing_or_another_flwr_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flower.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InstallationError, match=r"flwr 1\.42\.0, which is not installed: pip inst"):
        check_flower()
    monkeypatch.setattr(flower.importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(flower.metadata, "version", lambda _: "1.43.0")
    with pytest.raises(InstallationError, match=r"which is 1\.43\.0 here"):
        check_flower()


@pytest.mark.parametrize(
    ("address", "parts"),
    [("learn.example.org:9092", ("learn.example.org", 9092)), ("[::1]:443", ("::1", 443))],
)
def test_an_address_has_two_parts(address: str, parts: tuple[str, int]) -> None:
    assert split_address("--server", address) == parts


@pytest.mark.parametrize("address", ["localhost", ":9092", "a:b", "a:0", "a:65536", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="is no HOST:PORT, such as"):
        split_address("--server", address)


def test_insecure_is_for_this_machine_alone() -> None:
    check_insecure("--server", "127.0.0.1")
    with pytest.raises(ConfigError, match=r"and --server is 10\.0\.0\.1; make certificates with"):
        check_insecure("--server", "10.0.0.1")


def test_flowers_programs_tell_nobody_anything(tmp_path: Path) -> None:
    env = flower.environment(tmp_path)
    assert (env["FLWR_TELEMETRY_ENABLED"], env["FLWR_DISABLE_UPDATE_CHECK"]) == ("0", "1")
    assert env["FLWR_HOME"] == str(tmp_path)


def look_until(process: Supervised, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        process.look()
        time.sleep(0.01)


def test_a_process_that_dies_is_started_again_and_said_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flower, "_LONGEST_PAUSE_S", 0.01)
    said: list[str] = []
    code = "import sys; print('[code: 7] trouble'); sys.exit(3)"
    process = Supervised(
        "the node", lambda: [sys.executable, "-Sc", code], {}, tmp_path / "log", said.append,
        {"[code: 7]": "its key is unknown"},
    )  # fmt: skip
    look_until(process, lambda: len(said) == 2)
    process.stop()
    assert said[0] == (
        "the node ended with code 3 (its key is unknown); it is started again in 0.01 s"
    )
    assert said[1] == said[0]


def test_a_process_that_gives_up_without_an_end_is_started_again(tmp_path: Path) -> None:
    """Flower's node hangs after a handshake that was cut: before, its edge was lost for ever."""
    said: list[str] = []
    words = ["/bin/sh", "-c", "echo handshake error; sleep 300"]
    process = Supervised(
        "the node", lambda: words, {}, tmp_path / "log", said.append, {}, ("handshake error",)
    )
    process.look()
    first = process.pid
    look_until(process, lambda: process.pid not in (0, first))
    process.stop()
    assert said == [
        "the node has given up (handshake error); it is started again in 1 s"
    ]  # fmt: skip
    assert not _runs(first)


def test_a_full_disk_neither_breaks_a_process_nor_hides_its_last_line(tmp_path: Path) -> None:
    """Before, it wrote its log itself, failed at that, and Flower's node hung."""
    said: list[str] = []
    code = "import sys; sys.exit('the disk is full')"
    (tmp_path / "log").symlink_to("/dev/full")
    process = Supervised(
        "the edge", lambda: [sys.executable, "-uSc", code], {}, tmp_path / "log", said.append
    )
    look_until(process, lambda: bool(said))
    process.stop()
    assert said == ["the edge ended with code 1 (the disk is full); it is started again in 1 s"]


def test_a_process_that_is_stopped_takes_its_children_along(tmp_path: Path) -> None:
    child = tmp_path / "child"
    words = ["/bin/sh", "-c", f"sleep 300 & echo $! > {child}; wait"]
    process = Supervised("it", lambda: words, {}, tmp_path / "log", print)
    look_until(process, lambda: child.exists() and bool(child.read_text()))
    process.stop()
    deadline = time.monotonic() + 20
    while _runs(int(child.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _runs(number: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone ends children with their parent")
def test_what_a_killed_supervisor_started_ends_too(tmp_path: Path) -> None:
    code = (
        "import os, time; from pathlib import Path; from ecavg_tf.core.flower import Supervised\n"
        f"s = Supervised('it', lambda: ['/bin/sleep', '300'], dict(os.environ), "
        f"Path({str(tmp_path / 'log')!r}), print)\n"
        "s.look(); print(s.pid, flush=True); time.sleep(300)"
    )
    words = [sys.executable, "-c", code]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        number = int(process.stdout.readline())
        assert _runs(number)
        process.kill()
    deadline = time.monotonic() + 20
    while _runs(number):
        assert time.monotonic() < deadline
        time.sleep(0.05)
