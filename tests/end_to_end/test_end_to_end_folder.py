"""Edges in other processes, reached through a folder; and a run that is really interrupted."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
from paths_for_tests import ROOT

import ecavg_tf
from ecavg_tf.config import Config, FleetKind
from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.files import LOCK
from ecavg_tf.core.locks import lock_folder
from ecavg_tf.results import load_results

CONFIG = """\
from ecavg_tf.config import Config, PartitionKind

def get_config():
    config = Config()
    config.rounds = 2
    config.data.train_examples = 200
    config.data.test_examples = 100
    config.partition.kind = PartitionKind.CLASSES
    config.model.hidden_units = 16
    config.edge.epochs = 2
    config.server.epochs = 2
    config.keep_updates = True
    return config
"""


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ecavg_tf", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        # A job in the background of a shell ignores SIGINT, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def test_a_folder_fleet_gives_the_bits_of_a_local_one(tmp_path: Path) -> None:
    conf = tmp_path / "conf.py"
    conf.write_text(CONFIG)
    folder = f"--config.fleet.folder={tmp_path / 'exchange'}"
    common = [f"--config={conf}", folder, "--config.fleet.timeout_s=120"]
    processes = [
        start("run", *common, "--config.fleet.kind=folder", f"--workdir={tmp_path / 'server'}"),
        start("edge", *common, "--edge=edge-00", f"--workdir={tmp_path / 'zero'}"),
        start("edge", *common, "--edge=edge-01", f"--workdir={tmp_path / 'one'}"),
    ]
    for process in processes:
        output, errors = process.communicate(timeout=240)
        assert process.returncode == 0, output + errors
        assert errors == ""
    remote = load_results(tmp_path / "server")
    local_run = start("run", f"--config={conf}", f"--workdir={tmp_path / 'local'}")
    local_run.communicate(timeout=240)
    local = load_results(tmp_path / "local")
    assert len(remote.rounds) == len(local.rounds) == 2
    for far, near in zip(remote.rounds, local.rounds, strict=True):
        assert far.server == near.server
        assert far.edges == near.edges
    for name in ("edge-00", "edge-01"):
        path = f"rounds/0002/updates/{name}.safetensors"
        assert (tmp_path / "server" / path).read_bytes() == (tmp_path / "local" / path).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("signals", "code"),
    [
        ([signal.SIGINT, signal.SIGINT], 130),
        ([signal.SIGTERM], 143),
        ([signal.SIGHUP], 129),
    ],
    ids=["SIGINT-twice", "SIGTERM", "SIGHUP"],
)
def test_a_signal_stops_cleanly_and_says_how_to_go_on(
    tmp_path: Path, signals: list[int], code: int
) -> None:
    conf = tmp_path / "conf.py"
    conf.write_text(CONFIG.replace("config.rounds = 2", "config.rounds = 500"))
    workdir = tmp_path / "run"
    process = start("run", f"--config={conf}", f"--workdir={workdir}")
    deadline = time.monotonic() + 120
    while not (workdir / "rounds" / "0002" / "metrics.json").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    for number in signals:
        process.send_signal(number)
        time.sleep(0.1)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    assert f"ecavg run --config={conf} --workdir={workdir}" in errors
    results = load_results(workdir)
    assert results.status == "interrupted"
    assert len(results.rounds) >= 2
    assert not [path for path in workdir.rglob(".ecavg-*") if path.name != LOCK]
    lock_folder(workdir).close()


def test_an_exchange_folder_belongs_to_one_run(small: Callable[[], Config], tmp_path: Path) -> None:
    config = small()
    config.fleet.kind = FleetKind.FOLDER
    config.fleet.folder = str(tmp_path / "exchange")
    config.fleet.timeout_s = 0.3
    with pytest.raises(ecavg_tf.ECAvgError, match=r"edge-00: no whole answer within 0\.3 s"):
        ecavg_tf.run(config, tmp_path / "one")
    with pytest.raises(WorkdirError, match="is the exchange folder of run"):
        ecavg_tf.run(config, tmp_path / "two")


def test_an_edge_that_nobody_asks_gives_up(small: Callable[[], Config], tmp_path: Path) -> None:
    from ecavg_tf.rounds.serving import serve_edges

    config = small()
    config.fleet.folder = str(tmp_path / "exchange")
    config.fleet.edge_timeout_s = 0.3
    with pytest.raises(ecavg_tf.ECAvgError, match=r"no request for edge-01 within 0\.3 s"):
        serve_edges(config, ["edge-01"], tmp_path / "edge")
    with pytest.raises(ecavg_tf.ECAvgError, match="valid: edge-00, edge-01"):
        serve_edges(config, ["edge-07"], tmp_path / "edge")
    with (
        lock_folder(tmp_path / "edge" / "edge-01"),
        pytest.raises(WorkdirError, match="edge-01 is in use by another process"),
    ):
        serve_edges(config, ["edge-01"], tmp_path / "edge")


def serve_in_thread(config: Config, edge: str, workdir: Path) -> tuple[Thread, list[Exception]]:
    from ecavg_tf.rounds.serving import serve_edges

    errors: list[Exception] = []

    def serve() -> None:
        try:
            serve_edges(config, [edge], workdir)
        except ecavg_tf.ECAvgError as error:
            errors.append(error)

    thread = Thread(target=serve, daemon=True)
    thread.start()
    return thread, errors


def test_an_edge_with_another_config_is_told_which_field(
    small: Callable[[], Config], tmp_path: Path
) -> None:
    config, other = small(), small()
    for each in (config, other):
        each.fleet.kind = FleetKind.FOLDER
        each.fleet.folder = str(tmp_path / "exchange")
        each.fleet.timeout_s = 60
    other.seed = 5
    threads = [serve_in_thread(other, f"edge-0{n}", tmp_path / str(n)) for n in (0, 1)]
    with pytest.raises(ecavg_tf.ECAvgError, match="edge-00 has seed=5, the server 0"):
        ecavg_tf.run(config, tmp_path / "run")
    for thread, errors in threads:
        thread.join(timeout=60)
        assert "give both the same config" in str(errors[0])


@pytest.mark.slow
def test_control_c_while_it_starts(tmp_path: Path) -> None:
    conf = tmp_path / "conf.py"
    conf.write_text(CONFIG)
    process = start("run", f"--config={conf}", f"--workdir={tmp_path / 'run'}")
    time.sleep(3.0)  # Python is up, TensorFlow is being imported
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    # Where a library runs Python code from C, Python remembers the interruption and ends by the
    # signal, whatever main returned; a shell calls both 130.
    assert process.returncode in (130, -signal.SIGINT), errors
    assert "Traceback" not in errors
