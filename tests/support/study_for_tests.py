"""A study of seconds, on 200 digits."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from ecavg_tf.config import Config
from ecavg_tf.study.plan import Grid, Study

ARMS = (
    *("local", "alone", "alone-longer", "fedavg", "best-edge"),
    *("best-edge-tuned", "start-server", "start-total", "ours"),
)
RATES = (1.0, 3.0)


def digits(folder: Path, *, shuffled: bool = False) -> Path:
    """An .npz of digits; shuffled: its test labels say nothing."""
    inputs, labels = load_digits(return_X_y=True)
    inputs = inputs.astype(np.float32) / 16
    test = labels[200:300]
    path = folder / f"digits-{shuffled}.npz"
    np.savez(
        path,
        x_train=inputs[:200],
        y_train=labels[:200],
        x_test=inputs[200:300],
        y_test=np.roll(test, 37) if shuffled else test,
    )
    return path


def study(data: Path, arms: Sequence[str] = ARMS) -> Study:
    task = Config()
    task.data.name = str(data)
    task.model.hidden_units = 8
    task.rounds, task.edge.epochs, task.server.epochs = 2, 3, 2
    grid = Grid(arms, ("classes",), pools=(0.5,), seeds=(0,))
    return Study("a study", task, [grid], RATES)


def by_arm(results: dict[str, Any]) -> dict[str, Any]:
    return {cell["cell"]["arm"]: cell for cell in results["cells"]}
