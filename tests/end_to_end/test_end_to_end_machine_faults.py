"""What machines do to a run: each fault is one line, and the same call goes on to the same bits."""

import datetime
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

import ecavg_tf
from ecavg_tf.config import Config, FleetKind
from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.locks import lock_folder
from ecavg_tf.events import Event, StageStarted
from ecavg_tf.results import RunResults
from ecavg_tf.rounds.serving import serve_edges

pytestmark = pytest.mark.slow
ROOMY = "64m"
HOG = "hog"  # a file that takes all the room
Make = Callable[[], Config]
Mount = Callable[[str], None]


def two_rounds(small: Make) -> Config:
    config = small()
    config.rounds = 2
    return config


def bits(results: RunResults) -> list[object]:
    """What must not depend on the machine: scores, decisions and hashes."""
    return [(each.server, each.edges) for each in results.rounds]


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, list[object]]:
    return {}


@pytest.fixture
def expected(small: Make, tmp_path: Path, undisturbed: dict[str, list[object]]) -> list[object]:
    """The bits of a run to which nothing happened; made once."""
    if not undisturbed:
        undisturbed["bits"] = bits(ecavg_tf.run(two_rounds(small), tmp_path / "undisturbed"))
    return undisturbed["bits"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Mount]]:
    """Another file system, and what mounts it anew with other options."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)

    command = ["mount", "-t", "tmpfs", "-o", f"size={ROOMY}", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        why = done.stderr if done.returncode else ""
    except OSError as error:
        why = str(error)
    if why:
        pytest.skip(f"no file system can be mounted here: {why}")
    try:
        yield place, mount
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def at(round_number: int, stage: str, do: Callable[[], None]) -> Callable[[Event], None]:
    """A listener that does something once, when a stage begins."""
    waiting = [do]

    def listener(event: Event) -> None:
        if isinstance(event, StageStarted) and (event.round, event.stage) == (round_number, stage):
            for each in waiting[:]:
                waiting.remove(each)
                each()

    return listener


def interrupt() -> None:
    raise KeyboardInterrupt


def fill(place: Path) -> None:
    """Leaves no byte free on a disk."""
    with pytest.raises(OSError, match="No space left"), (place / HOG).open("wb") as stream:
        while True:
            stream.write(bytes(2**16))
            stream.flush()


def check_at_rest(workdir: Path) -> None:
    """Nothing half-written lies there, and nobody holds the directory."""
    assert not [path for path in workdir.rglob(".ecavg-*") if path.name != ".ecavg-lock"]
    lock_folder(workdir).close()


def test_a_disk_that_is_full(small: Make, disk: tuple[Path, Mount], expected: list[object]) -> None:
    place, _ = disk
    with pytest.raises(WorkdirError, match=r"can't be written: the disk is full .*make room"):
        ecavg_tf.run(
            two_rounds(small), place / "run", listener=at(2, "finetune", lambda: fill(place))
        )
    check_at_rest(place / "run")
    assert (place / "run" / "rounds" / "0001" / "metrics.json").exists()
    (place / HOG).unlink()
    assert bits(ecavg_tf.run(two_rounds(small), place / "run")) == expected


def test_a_disk_that_is_full_from_the_beginning(
    small: Make, disk: tuple[Path, Mount], expected: list[object]
) -> None:
    place, mount = disk
    mount("size=40k")
    with pytest.raises(WorkdirError, match="the disk is full"):
        ecavg_tf.run(two_rounds(small), place / "run")
    mount(f"size={ROOMY}")
    assert bits(ecavg_tf.run(two_rounds(small), place / "run")) == expected
    check_at_rest(place / "run")


def test_an_edge_whose_disk_is_full_for_a_while(
    small: Make, disk: tuple[Path, Mount], tmp_path: Path
) -> None:
    """It is refused with its reason, the round goes on, and it takes part again afterwards."""
    place, _ = disk
    config = small()
    config.rounds = 3
    config.edge.epochs = config.server.epochs = 1
    config.fleet.kind, config.fleet.folder = FleetKind.FOLDER, str(tmp_path / "exchange")
    config.fleet.timeout_s = config.fleet.edge_timeout_s = 60
    failed: list[str] = []

    def serve(edge: str, workdir: Path) -> Thread:
        def until_the_end() -> None:
            try:
                serve_edges(config, [edge], workdir)
            except WorkdirError as error:
                failed.append(str(error))

        thread = Thread(target=until_the_end)
        thread.start()
        return thread

    threads = [serve("edge-00", tmp_path / "here"), serve("edge-01", place)]

    def listener(event: Event) -> None:
        if event == StageStarted(1, "evaluate", "server"):
            fill(place)
        elif event == StageStarted(2, "evaluate", "server"):
            threads[1].join(timeout=60)
            (place / HOG).unlink()
            threads.append(serve("edge-01", place))

    results = ecavg_tf.run(config, tmp_path / "run", listener=listener)
    for thread in threads:
        thread.join(timeout=60)
    (line,) = failed
    assert line.startswith(str(place))
    assert [[each.edge for each in played.refused] for played in results.rounds] == [
        [], ["edge-01"], []
    ]  # fmt: skip
    assert "can't be written" in results.rounds[1].refused[0].reason
    assert results.rounds[2].edges[1].accepted
    check_at_rest(place / "edge-01")


def test_a_disk_that_becomes_read_only(
    small: Make, disk: tuple[Path, Mount], expected: list[object]
) -> None:
    place, mount = disk
    with pytest.raises(KeyboardInterrupt):
        ecavg_tf.run(two_rounds(small), place / "run", listener=at(2, "finetune", interrupt))
    before = {path: path.stat().st_mtime_ns for path in (place / "run").rglob("*")}
    mount("ro")
    with pytest.raises(WorkdirError, match="can't be written; choose another"):
        ecavg_tf.run(two_rounds(small), place / "run")
    assert {path: path.stat().st_mtime_ns for path in (place / "run").rglob("*")} == before
    mount("rw")
    assert bits(ecavg_tf.run(two_rounds(small), place / "run")) == expected
    check_at_rest(place / "run")


def test_a_quota(small: Make, tmp_path: Path, expected: list[object]) -> None:
    """The system's limit on a file's size; a quota on blocks says it with another number."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, before[1]))

    try:
        with pytest.raises(WorkdirError, match="the file is larger than this system lets it be"):
            ecavg_tf.run(two_rounds(small), tmp_path / "run", listener=at(2, "finetune", limit))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    check_at_rest(tmp_path / "run")
    assert bits(ecavg_tf.run(two_rounds(small), tmp_path / "run")) == expected


def test_a_directory_that_lies_on_several_file_systems(
    small: Make, disk: tuple[Path, Mount], tmp_path: Path, expected: list[object]
) -> None:
    """Files are renamed within their own folder alone, so a part may be moved to another disk."""
    place, _ = disk
    workdir = tmp_path / "run"

    with pytest.raises(KeyboardInterrupt):
        ecavg_tf.run(two_rounds(small), workdir, listener=at(2, "finetune", interrupt))
    for part in ("rounds", "pooled", "edges"):
        shutil.move(workdir / part, place / part)
        (workdir / part).symlink_to(place / part)
    assert (place / "rounds").stat().st_dev != workdir.stat().st_dev
    assert bits(ecavg_tf.run(two_rounds(small), workdir)) == expected
    assert not [path for path in place.rglob(".ecavg-*") if path.name != ".ecavg-lock"]
    check_at_rest(workdir)


@pytest.mark.parametrize("when", [datetime.datetime(1999, 1, 1), datetime.datetime(2099, 1, 1)])
def test_a_clock_that_was_set(
    small: Make,
    tmp_path: Path,
    expected: list[object],
    monkeypatch: pytest.MonkeyPatch,
    when: datetime.datetime,
) -> None:
    """Files that are from another century, and a clock that runs backwards while it goes on."""
    workdir, seconds = tmp_path / "run", when.timestamp()

    with pytest.raises(KeyboardInterrupt):
        ecavg_tf.run(two_rounds(small), workdir, listener=at(2, "finetune", interrupt))
    for path in (workdir, *workdir.rglob("*")):
        os.utime(path, (seconds, seconds))
    began = time.monotonic()

    def backwards() -> float:
        return seconds - 60 * (time.monotonic() - began)

    class Backwards(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> "Backwards":
            return cls.fromtimestamp(backwards(), tz)

    monkeypatch.setattr(time, "time", backwards)
    monkeypatch.setattr(time, "time_ns", lambda: int(1e9 * backwards()))
    monkeypatch.setattr(datetime, "datetime", Backwards)
    assert bits(ecavg_tf.run(two_rounds(small), workdir)) == expected
    check_at_rest(workdir)
