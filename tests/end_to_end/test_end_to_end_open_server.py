"""A server without any data, and edges that come to it: each a process with data of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from paths_for_tests import ROOT
from sklearn.datasets import load_digits

import ecavg_tf
from ecavg_tf.config import Config, TrainingFile
from ecavg_tf.results import RunResults, load_results
from ecavg_tf.rounds.exchange_folder import RUN

CONFIG = """\
from ecavg_tf.config import Config

def get_config():
    config = Config(rounds=2)
    config.model.hidden_units = 16
    config.edge.epochs = 12
    config.server.epochs = 2
    config.partition.guard_fraction = 0.3
    config.fleet.timeout_s = 400
    return config
"""
# Imports of TensorFlow fail, as where it is not installed.
WITHOUT = """\
import sys
for name in ("tensorflow", "keras", "absl", "scipy", "sklearn", "ml_collections"):
    sys.modules[name] = None
from edge.cli import main
sys.exit(main(sys.argv[1:]))
"""


def write_hospitals(folder: Path) -> None:
    """Four edges that differ in size and classes, each with a test set."""
    x, y = load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8).astype(np.uint8)
    rows = {
        "north": np.arange(300),
        "south": np.flatnonzero(y < 5)[150:350],
        "east": np.flatnonzero(y > 3)[250:400],
        "isle": np.arange(1300, 1700),
    }
    shared = {"classes": np.array([str(label) for label in range(10)]), "value_range": [0, 16]}
    folder.mkdir()
    for name, held in rows.items():
        test, train = held[:60], held[60:]
        np.savez(folder / f"{name}.npz", x_train=x[train], y_train=y[train], x_test=x[test],
                 y_test=y[test], **shared)  # fmt: skip


class Scene:
    """Processes of a server and of edges in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.exchange = folder / "exchange"
        self.running: dict[str, subprocess.Popen[str]] = {}
        write_hospitals(folder / "hospitals")
        (folder / "conf.py").write_text(CONFIG)

    def start(self, name: str, *words: str) -> None:
        with (self.folder / f"{name}.out").open("a") as out:
            self.running[name] = subprocess.Popen(
                [sys.executable, *words],
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            )

    def serve(self, *more: str) -> None:
        words = [f"--config={self.folder / 'conf.py'}", f"--workdir={self.folder / 'server'}"]
        words += ["--config.fleet.kind=folder", f"--config.fleet.folder={self.exchange}"]
        self.start("server", "-m", "ecavg_tf", "run", *words, *more)

    def join(self, edge: str, *, device: bool = False) -> None:
        words = [f"--edge={edge}", f"--exchange={self.exchange}", "--pool", "--timeout=400"]
        words += [f"--data={self.folder / 'hospitals' / edge}.npz"]
        words += [f"--state={self.folder / 'state'}"]
        program = ["-c", WITHOUT, "train"] if device else ["-m", "ecavg_tf", "edge"]
        self.start(edge, *program, *words)

    def wait(self, sign: Path | tuple[str, str]) -> None:
        """Waits for a file, or for words in what a process has printed."""
        deadline = time.monotonic() + 300
        while not (sign.exists() if isinstance(sign, Path) else sign[1] in self.printed(sign[0])):
            assert time.monotonic() < deadline, sign
            time.sleep(0.02)

    def printed(self, name: str) -> str:
        path = self.folder / f"{name}.out"
        return path.read_text() if path.exists() else ""

    def end(self) -> RunResults:
        for name, process in self.running.items():
            assert process.wait(timeout=400) == 0, self.printed(name)
        return load_results(self.folder / "server")

    def kill(self) -> None:
        for process in self.running.values():
            if process.poll() is None:
                process.kill()
                process.wait()


@pytest.fixture
def scene(tmp_path: Path) -> "Scene":
    return Scene(tmp_path)


def simulated(scene: Scene, *words: str) -> RunResults:
    """The same four in one process, from their folder."""
    workdir = scene.folder / "near"
    scene.start(
        "near", "-m", "ecavg_tf", "run", f"--config={scene.folder / 'conf.py'}",
        f"--workdir={workdir}", f"--config.data.name={scene.folder / 'hospitals'}", *words,
    )  # fmt: skip
    assert scene.running.pop("near").wait(timeout=400) == 0, scene.printed("near")
    return load_results(workdir)


def bits(results: RunResults) -> list[tuple[str | None, dict[str, str]]]:
    return [
        (
            played.server.global_.weights_sha256,
            {each.edge: each.accepted.weights_sha256 for each in played.edges if each.accepted},
        )
        for played in results.rounds
    ]


@pytest.mark.slow
def test_edges_that_come_leave_and_come_back_give_the_bits_of_a_simulation(scene: Scene) -> None:
    try:
        scene.serve("--config.data.spec=first-edge", "--config.fleet.wait_for=east,north,south")
        for edge in ("north", "south", "east"):
            scene.join(edge)
        scene.wait(("east", "east epoch 1/12"))
        scene.running["east"].send_signal(signal.SIGKILL)
        scene.running["east"].wait()
        assert not list((scene.exchange / "east" / "outbox").glob("0001-*"))  # in its training
        scene.join("isle")  # while round 1 goes on: it takes part from round 2 on
        scene.wait(scene.exchange / "isle" / "outbox" / "0000-hello.json")
        scene.join("east")
        far = scene.end()
    finally:
        scene.kill()
    three, four = ("east", "north", "south"), ("east", "isle", "north", "south")
    assert [played.participants for played in far.rounds] == [three, four]
    assert all(played.refused == played.absent == () for played in far.rounds)
    near = simulated(scene, "--config.fleet.presence=isle:2")
    assert [played.participants for played in near.rounds] == [three, four]
    assert bits(far) == bits(near)
    for one, other in zip(far.rounds, near.rounds, strict=True):
        assert one.server.averaged.all is None
        for edge, same in zip(one.edges, other.edges, strict=True):
            assert edge.local is None or edge.local.own == same.local.own
            assert edge.accepted.own == same.accepted.own
    # The mean over the test examples of those who decided is the score on all of them together.
    last = far.rounds[-1].server.global_.all, near.rounds[-1].server.global_.all
    assert last[0].n == last[1].n == 240
    assert last[0].accuracy == pytest.approx(last[1].accuracy)
    assert "open" not in (scene.exchange / RUN).read_text()  # nobody waits for a run that is over


@pytest.mark.slow
def test_with_an_edge_without_tensorflow_accuracies_are_those_of_a_simulation(
    scene: Scene,
) -> None:
    near = []
    for seed in range(3):
        config = Config(rounds=2, seed=seed)
        config.model.hidden_units, config.edge.epochs, config.server.epochs = 16, 12, 2
        config.partition.guard_fraction = 0.3
        config.data.name = str(scene.folder / "hospitals")
        played = ecavg_tf.run(config, scene.folder / f"near-{seed}").rounds[-1]
        near.append(played.server.global_.all.accuracy)
    try:
        dense = TrainingFile.DENSE.value
        scene.serve("--config.data.spec=first-edge", "--config.fleet.wait_for=4",
                    f"--config.fleet.training_file={dense}")  # fmt: skip
        for edge in ("north", "south", "east", "isle"):
            scene.join(edge, device=edge == "south")
        far = scene.end()
    finally:
        scene.kill()
    played = far.rounds[-1]
    assert len(played.edges) == 4
    spread = max(near) - min(near)
    assert abs(played.server.global_.all.accuracy - near[0]) <= max(spread, 0.02)
    south = next(edge for edge in played.edges if edge.edge == "south")
    assert south.accepted.own.n == 60
