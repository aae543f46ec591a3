"""A script gives its arrays to a run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ecavg_tf
from ecavg_tf.config import Config


@pytest.mark.slow
def test_a_run_trains_on_the_arrays_that_were_given(
    tmp_path: Path, small: Callable[[], Config]
) -> None:
    config = small()
    config.data.train_examples = config.data.test_examples = 0
    config.edge.epochs = config.server.epochs = 1
    config.export.enabled = False
    labels = np.arange(80) % 2
    inputs = np.random.default_rng(1).random((80, 3), np.float32) + labels[:, None]
    data = ((inputs[:60], labels[:60]), (inputs[60:], labels[60:]))
    results = ecavg_tf.run(config, tmp_path / "run", data=data)
    assert results.classes == ("0", "1")
    assert [edge.name for edge in results.rounds[0].edges] == ["edge-00", "edge-01"]
    assert ecavg_tf.run(config, tmp_path / "run", data=lambda: data) == results
