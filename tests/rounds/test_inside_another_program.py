"""A run inside somebody's program: threads, forked children, a folder with names like ours."""

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecavg_tf import forked
from ecavg_tf.config import Config
from ecavg_tf.core.errors import InstallationError, WorkdirError
from ecavg_tf.data.sources import load_data
from ecavg_tf.models.builders import initial_weights
from ecavg_tf.rounds.loop import run
from ecavg_tf.rundir import RunDirectory


def test_two_threads_begin_with_the_weights_of_their_seeds(small: Callable[[], Config]) -> None:
    config = small()
    spec = load_data(config.data, 0).spec
    alone = {n: initial_weights(config, spec, n) for n in range(2)}
    ready = threading.Barrier(2, timeout=10)
    same: list[bool] = []

    def build(number: int) -> None:
        ready.wait()
        for _ in range(8):
            weights = initial_weights(config, spec, number)
            same.append(all(map(np.array_equal, weights, alone[number])))

    threads = [threading.Thread(target=build, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert same == [True] * 16


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning", "ignore:.*fork.*:RuntimeWarning")
def test_a_forked_child_is_told_at_once(small: Callable[[], Config], tmp_path: Path) -> None:
    initial_weights(small(), load_data(small().data, 0).spec)  # uses TensorFlow
    forked.check_not_forked()
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)

    def child() -> None:
        try:
            run(small(), tmp_path / "run")
        except InstallationError as error:
            sending.send(str(error))

    process = context.Process(target=child)
    process.start()
    assert receiving.poll(20), "the child hangs"
    assert "forked from one that had used TensorFlow" in receiving.recv()
    process.join(5)
    assert not (tmp_path / "run").exists()


def test_a_child_of_a_process_without_tensorflow_is_none_of_these() -> None:
    code = (
        "import os, ecavg_tf\n"
        "from ecavg_tf.forked import check_not_forked\n"
        "if os.fork() == 0:\n"
        "    check_not_forked()\n"
        "    os._exit(0)\n"
        "raise SystemExit(os.wait()[1])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_removed_current_folder(
    small: Callable[[], Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(WorkdirError, match="the current folder was removed"):
        run(small(), "run")
    assert not RunDirectory(tmp_path / "elsewhere", small()).exists


def test_a_directory_that_another_run_took_meanwhile_is_not_cleared(
    tmp_path: Path, small: Callable[[], Config]
) -> None:
    """Both looked at an empty place; the second one removed the run of the first."""
    first, second = small(), small()
    second.seed = 1
    early = RunDirectory(tmp_path / "run", first)
    late = RunDirectory(tmp_path / "run", second)
    early.open()
    metrics = early.round(1) / "metrics.json"
    metrics.parent.mkdir(parents=True)
    metrics.write_text("{}")
    early.close()
    with pytest.raises(WorkdirError, match="seed"):
        late.open()
    late.close()
    assert metrics.exists()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("server.py", "import ecavg_tf; ecavg_tf.run"),
        ("edge.py", "from ecavg_tf import run"),
        ("export.py", "from ecavg_tf.rounds.loop import run"),
    ],
)
def test_a_script_with_a_namesake_beside_it(tmp_path: Path, name: str, line: str) -> None:
    (tmp_path / name).write_text("x = 1\n")
    (tmp_path / "script.py").write_text(f"import ecavg_tf; ecavg_tf.Config()\n{line}\n")
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ecavg_tf.core.errors.InstallationError: 'import ")
    assert f"finds {tmp_path / name}, expected" in last
    assert "rename or move" in last
