"""Real data of two classes: the embedded digits 3 and 8."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from ecavg_tf.config import Config

CLASSES = ("three", "eight")


def two_digits() -> dict[str, np.ndarray]:
    """As an ``.npz`` file holds them: 240 to train on, 117 to test."""
    x, y = load_digits(return_X_y=True)
    kept = np.isin(y, (3, 8))
    inputs = x[kept].reshape(-1, 8, 8, 1).astype(np.uint8)
    labels = (y[kept] == 8).astype(np.int64)
    return {
        "x_train": inputs[:240],
        "y_train": labels[:240],
        "x_test": inputs[240:],
        "y_test": labels[240:],
        "classes": np.array(CLASSES),
        "value_range": np.array([0, 16]),
    }


def config_of_two(folder: Path, model: str) -> Config:
    """A run on them with a user's model of ``models_for_tests``."""
    np.savez(folder / "two.npz", **two_digits())
    config = Config()
    config.data.name = str(folder / "two.npz")
    config.model.name = f"models_for_tests:{model}"
    config.edge.learning_rate = config.server.learning_rate = 1e-2
    return config
