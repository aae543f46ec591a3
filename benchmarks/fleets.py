"""The same run with several fleets: Keras edges, edges without TensorFlow, one of each."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from device_rounds_tables import Comparison
from processes import Processes

from ecavg_tf.cli.config_flag import parse_config
from ecavg_tf.config import Config
from ecavg_tf.config.fields import flatten_dict, shared_fields
from ecavg_tf.core.errors import RoundError, WorkdirError
from ecavg_tf.core.files import atomic_path
from ecavg_tf.quiet import import_tensorflow
from ecavg_tf.results import RunResults, load_results

ROOT = Path(__file__).resolve().parent.parent
EDGES = ("edge-00", "edge-01")
ENDING_S = 60.0  # what edges get to end once the server has
BARRED = """\
import runpy, sys
for name in ("tensorflow", "keras", "absl", "ml_collections", "scipy", "sklearn"):
    sys.modules[name] = None
sys.argv[0] = "edge"
runpy.run_module("edge", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True)
class Fleet:
    """How the edges of a run are made.

    Attributes:
        devices: those without TensorFlow; with any, the run is one over a folder.
        onednn: whether TensorFlow takes oneDNN's kernels, which round in another way.
    """

    devices: tuple[str, ...] = ()
    onednn: bool = False


FLEETS = {
    "Keras": Fleet(),
    "oneDNN": Fleet(onednn=True),
    "devices": Fleet(EDGES),
    "mixed": Fleet(EDGES[:1]),
}


@dataclass(frozen=True)
class Task:
    """What is run.

    Attributes:
        config: a file in configs/.
        settings: what differs from it, fields by dotted names.
        training_file: what devices train.
        seeds: how many, unless the command line says otherwise.
        pretraining: settings of a run on all the classes whose global model is the start
            of all others; None: they start from random weights.
    """

    config: str
    settings: Mapping[str, str]
    training_file: str
    seeds: int
    pretraining: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Bench:
    """One task in one place.

    Attributes:
        task: what is run.
        workdir: where everything goes.
        device_python: the devices' interpreter.
        timeout_s: seconds for one run.
        barred: whether the devices' interpreter has a TensorFlow that is kept away.
        environment: variables of all processes.
    """

    task: Task
    workdir: Path
    device_python: str
    timeout_s: float
    barred: bool
    environment: Mapping[str, str]

    def flags(self, settings: Mapping[str, str]) -> list[str]:
        """A config as the command line has it."""
        named = [f"--config.{name}={value}" for name, value in settings.items()]
        return [f"--config={ROOT / 'configs' / self.task.config}.py", *named]

    def seed_flags(self, seed: int) -> list[str]:
        """The config of all runs of a seed."""
        settings = {**self.task.settings, "seed": str(seed), "keep_updates": "true"}
        if self.task.pretraining is not None:
            settings["model.init"] = str(self.workdir / "start/server/rounds/0001/global.keras")
        return self.flags(settings)

    def start(self) -> None:
        """Makes the model that all runs start from, if the task has one."""
        if self.task.pretraining is None:
            return
        results = self.run(
            "start", self.workdir / "start", self.flags(self.task.pretraining), Fleet()
        )
        score = results.rounds[-1].server.global_.all
        print(f"start: {100 * (score.accuracy if score else 0):.2f} % of its test examples\n")

    def compare(self, seed: int) -> Comparison:
        """All fleets of one seed."""
        common, folder = self.seed_flags(seed), self.workdir / f"seed-{seed}"
        write_images(common, folder)
        runs = {}
        for name, fleet in FLEETS.items():
            words = [*common, *self._folder_flags(folder / name)] if fleet.devices else common
            runs[name] = self.run(f"seed {seed}, {name}", folder / name, words, fleet)
        return Comparison(seed, folder, runs)

    def _folder_flags(self, folder: Path) -> list[str]:
        return [
            "--config.fleet.kind=folder",
            f"--config.fleet.folder={folder / 'exchange'}",
            f"--config.fleet.timeout_s={self.timeout_s}",
            f"--config.fleet.training_file={self.task.training_file}",
        ]

    def run(self, name: str, folder: Path, words: list[str], fleet: Fleet) -> RunResults:
        """One run's results: from its folder, or by playing what is left of it."""
        path = folder / "server" / "results.json"
        found = load_results(path) if path.exists() else None
        if found is None or found.status != "finished":
            began = time.monotonic()
            environment = {**self.environment, "TF_ENABLE_ONEDNN_OPTS": str(int(fleet.onednn))}
            with Processes(folder / "logs", environment) as processes:
                self._play(processes, folder, words, fleet.devices)
            print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
            found = load_results(path)
        check_results(found, parse_config(flags.FlagValues(), words), path)
        return found

    def _play(
        self, processes: Processes, folder: Path, words: list[str], devices: tuple[str, ...]
    ) -> None:
        ecavg = [sys.executable, "-m", "ecavg_tf"]
        processes.start("server", [*ecavg, "run", *words, f"--workdir={folder / 'server'}"])
        edges = EDGES if devices else ()
        for edge in edges:
            if edge in devices:
                processes.start(edge, self._device(folder, edge))
            else:
                more = [f"--edge={edge}", f"--workdir={folder / edge}"]
                processes.start(edge, [*ecavg, "edge", *words, *more])
        processes.wait(["server"], self.timeout_s)
        # An edge that had answered its last request before a run was cut off gets no other.
        processes.wait(edges, ENDING_S, must_end=False)

    def _device(self, folder: Path, edge: str) -> list[str]:
        module = ["-c", BARRED] if self.barred else ["-m", "edge"]
        return [
            self.device_python,
            *module,
            "train",
            f"--exchange={folder / 'exchange'}",
            f"--data={folder.parent / edge}.npz",
            f"--state={folder / 'state'}",
            f"--edge={edge}",
            f"--timeout={self.timeout_s}",
            "--pool",
        ]


def write_images(words: list[str], folder: Path) -> None:
    """Each edge's examples as a device has them, dealt out as for edges in one process."""
    if all((folder / f"{edge}.npz").exists() for edge in EDGES):
        return
    import_tensorflow()
    from ecavg_tf.data.federated import federated_data

    data = federated_data(parse_config(flags.FlagValues(), words))
    for name in data.edges:
        edge = data.edge(name)
        arrays: dict[str, Any] = {}
        for split, part in (("train", edge.train), ("guard", edge.guard), ("test", data.test)):
            arrays |= {f"x_{split}": part.inputs, f"y_{split}": part.labels}
        with atomic_path(folder / f"{name}.npz") as path, path.open("wb") as file:
            np.savez(file, **arrays)


def check_results(results: RunResults, config: Config, path: Path) -> None:
    """Makes sure that a run is the one that was asked for, and that no edge was left out.

    Raises:
        WorkdirError: it had other settings.
        RoundError: an edge was refused.
    """
    found = flatten_dict(dict(results.config))
    for name, value in shared_fields(config).items():
        if found.get(name, value) != value:
            raise WorkdirError(
                f"{path} was run with {name}={found[name]!r}, not {value!r}; take another --workdir"
            )
    for result in results.rounds:
        for refused in result.refused:
            raise RoundError(f"{path}, round {result.round}: {refused.edge}: {refused.reason}")
