"""A server and edges over Flower, each a process of its own on this machine."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from paths_for_tests import ROOT
from sklearn.datasets import load_digits

from ecavg_tf.core.flower import free_port
from ecavg_tf.results import RunResults, load_results

CONFIG = """\
from ecavg_tf.config import Config

def get_config():
    config = Config(rounds={rounds})
    config.model.hidden_units = 16
    config.edge.epochs = {epochs}
    config.server.epochs = 2
    config.partition.guard_fraction = 0.3
    config.fleet.timeout_s = 300
    return config
"""
PATIENCE_S = 400.0


def write_edges(folder: Path, names: tuple[str, ...]) -> None:
    """Edges that differ in size and classes, each with a test set."""
    x, y = load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8).astype(np.uint8)
    rows = {
        "north": np.arange(300),
        "south": np.flatnonzero(y < 5)[150:350],
        "east": np.flatnonzero(y > 3)[250:400],
    }
    shared = {"classes": np.array([str(label) for label in range(10)]), "value_range": [0, 16]}
    folder.mkdir(parents=True)
    for name in names:
        test, train = rows[name][:60], rows[name][60:]
        np.savez(folder / f"{name}.npz", x_train=x[train], y_train=y[train], x_test=x[test],
                 y_test=y[test], **shared)  # fmt: skip


class Field:
    """``ecavg serve``, ``ecavg join`` for each edge, and ``ecavg run``.

    Args:
        folder: for all files.
        edges: their names.
        rounds: of the run.
        epochs: of each edge.
    """

    def __init__(
        self, folder: Path, edges: tuple[str, ...], rounds: int = 1, epochs: int = 2
    ) -> None:
        self.folder = folder
        self.edges = edges
        self.port = free_port()
        self.running: dict[str, subprocess.Popen[str]] = {}
        self.inside: dict[str, list[str]] = {}  # words before a process's command
        self.hosts: dict[str, str] = {}  # how an edge reaches the server, if not as localhost
        write_edges(folder / "data", edges)
        (folder / "conf.py").write_text(CONFIG.format(rounds=rounds, epochs=epochs))
        self.certs("--host=localhost", f"--edges={','.join(edges)}")

    def certs(self, *words: str) -> None:
        """Makes certificates and keys."""
        self.start("certs", "certs", f"--out={self.folder / 'certs'}", *words)
        assert self.running.pop("certs").wait(timeout=PATIENCE_S) == 0, self.printed("certs")

    def start(self, name: str, *words: str) -> None:
        """Starts a command; its output goes into a file."""
        with (self.folder / f"{name}.out").open("a") as out:
            self.running[name] = subprocess.Popen(
                [*self.inside.get(name, ()), sys.executable, "-m", "ecavg_tf", *words],
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            )

    def serve(self, *words: str) -> None:
        """Starts the server, and waits until it knows all keys."""
        state = ["--certs=certs", "--state=served", f"--port={self.port}"]
        self.start("serve", "serve", *state, *words)
        for edge in self.edges:
            self.wait("serve", f"registered the key of {edge};")

    def join(self, edge: str, *words: str) -> None:
        """Starts an edge."""
        certs, host = self.folder / "certs", self.hosts.get(edge, "localhost")
        self.start(
            edge, "join", f"--server={host}:{self.port}", f"--edge={edge}", "--pool",
            f"--data=data/{edge}.npz", f"--state=state/{edge}", f"--ca={certs / 'ca.pem'}",
            f"--key={certs / 'edges' / edge}.key", *words,
        )  # fmt: skip

    def run(self, *words: str, name: str = "far") -> None:
        """Starts a run; its directory has the name of its process."""
        self.start(
            name, "run", "--config=conf.py", f"--workdir={name}", "--config.fleet.kind=flower",
            "--config.fleet.server=served", "--config.data.spec=first-edge",
            f"--config.fleet.wait_for={','.join(self.edges)}", *words,
        )  # fmt: skip

    def all_up(self, *words: str) -> None:
        """Starts everything; the words are of the run."""
        self.serve()
        for edge in self.edges:
            self.join(edge)
        self.run(*words)

    def end(self, name: str = "far") -> RunResults:
        """Waits for a run's end, which must be a good one."""
        code = self.running[name].wait(timeout=PATIENCE_S)
        assert code == 0, self.printed(name)
        return load_results(self.folder / name)

    def kill_server(self) -> None:
        """Kills the process that plays the run's rounds."""
        found = processes("flwr-serverapp")
        mine = [n for n in found if Path(f"/proc/{n}/cwd").resolve() == self.folder]
        assert mine
        for number in mine:
            os.kill(number, signal.SIGKILL)

    def near(self, *words: str, name: str = "near") -> RunResults:
        """The same edges in one process; what has run already is not run again."""
        self.start(
            name, "run", "--config=conf.py", f"--workdir={name}", "--config.data.name=data", *words
        )
        assert self.running.pop(name).wait(timeout=PATIENCE_S) == 0, self.printed(name)
        return load_results(self.folder / name)

    def wait(self, name: str, words: str) -> None:
        """Waits for words in what a process has printed."""
        self.wait_for(self.folder / f"{name}.out", words)

    def wait_for(self, path: Path, words: str = "") -> None:
        """Waits for a file, and words in it."""
        deadline = time.monotonic() + PATIENCE_S
        while not path.exists() or words not in path.read_text(errors="replace"):
            assert time.monotonic() < deadline, (path, words)
            time.sleep(0.1)

    def printed(self, name: str) -> str:
        """What a process has printed."""
        path = self.folder / f"{name}.out"
        return path.read_text() if path.exists() else ""

    def stop(self) -> None:
        """Stops everything as a user does."""
        for process in self.running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()


def bits(results: RunResults) -> list[tuple[str | None, dict[str, str]]]:
    """What must be the same however edges are reached."""
    return [
        (
            played.server.global_.weights_sha256,
            {each.edge: each.accepted.weights_sha256 for each in played.edges if each.accepted},
        )
        for played in results.rounds
    ]


def processes(words: str) -> list[int]:
    """Numbers of the running processes whose command line holds some words."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if words in line:
            found.append(int(path.parent.name))
    return found
