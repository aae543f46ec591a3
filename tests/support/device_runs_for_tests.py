"""Runs over a folder, and processes of edges that can't import TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from paths_for_tests import ROOT

from ecavg_tf.config import Config, FleetKind, PartitionKind, TrainingFile
from ecavg_tf.data.federated import federated_data

WITHOUT = """\
import sys
for name in ("tensorflow", "keras", "absl", "scipy", "sklearn", "ml_collections"):
    sys.modules[name] = None
from edge.cli import main
sys.exit(main(sys.argv[1:]))
"""


def make_config(rounds: int = 3) -> Config:
    config = Config()
    config.rounds, config.keep_updates = rounds, True
    config.data.train_examples = 400
    config.data.test_examples = 200
    config.partition.kind = PartitionKind.CLASSES
    config.model.hidden_units = 16
    return config


def over_files(config: Config, folder: Path) -> Config:
    config.fleet.kind = FleetKind.FOLDER
    config.fleet.folder = str(folder / "exchange")
    config.fleet.timeout_s = 120
    config.fleet.training_file = TrainingFile.DENSE
    return config


def device(config: Config, folder: Path, edge: str, *more: str) -> subprocess.Popen[str]:
    """An edge process that can't import TensorFlow, with the data that Keras edges have."""
    shared = federated_data(config)
    data = shared.edge(edge)
    path = folder / f"{edge}.npz"
    mine = np.flatnonzero(np.isin(shared.test.labels, data.train.labels))
    arrays = {"train": data.train, "guard": data.guard, "test": shared.test.take(mine)}
    np.savez(
        path,
        **{f"x_{name}": each.inputs for name, each in arrays.items()},
        **{f"y_{name}": each.labels for name, each in arrays.items()},
    )
    words = ["train", f"--edge={edge}", f"--data={path}", f"--state={folder / edge}"]
    words += [f"--exchange={config.fleet.folder}", "--timeout=120", *more]
    return subprocess.Popen(
        [sys.executable, "-c", WITHOUT, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def ended_well(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, output + errors
    assert errors == ""
    return output
