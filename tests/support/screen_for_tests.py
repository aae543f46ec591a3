"""Updates of a model with two trained weights, for tests of what the server thinks of them."""

from pathlib import Path

import numpy as np

from ecavg_tf.core.messages.update_file import Update, UpdateInfo, write_update
from ecavg_tf.core.template import Role, Template, WeightSpec

TEMPLATE = Template(
    (
        WeightSpec("kernel", (2,), "float32", Role.TRAINABLE),
        WeightSpec("variance", (1,), "float32", Role.STATISTIC, omittable=True),
        WeightSpec("seed", (1,), "uint32", Role.STATE, omittable=True),
    )
)
BASE = [np.array([3.0, 4.0], np.float32), np.ones(1, np.float32), np.zeros(1, np.uint32)]


def write(
    folder: Path,
    edge: str,
    kernel: tuple[float, float],
    variance: float = 1.0,
    counts: tuple[int, int] = (2, 2),
) -> Path:
    """An update file of an edge."""
    info = UpdateInfo(1, edge, sum(counts), counts, TEMPLATE.sha256, {})
    weights = {
        "kernel": np.array(kernel, np.float32),
        "variance": np.array([variance], np.float32),
        "seed": np.array([7], np.uint32),
    }
    write_update(folder / edge, info, weights)
    return folder / edge


def updates(
    folder: Path, *kernels: tuple[float, float], counts: tuple[int, int] = (2, 2)
) -> list[Update]:
    """Edges a, b, c, … with these weights."""
    return [
        Update(write(folder, "abcdef"[at], kernel, counts=counts))
        for at, kernel in enumerate(kernels)
    ]
