"""A task needs to know what images are, and nobody's images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecavg_tf.config import Config
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.template import weights_sha256
from ecavg_tf.data.dataset import DataSpec, Examples
from ecavg_tf.events import silent
from ecavg_tf.task import Task

SPEC = DataSpec("tiny", (2, 2, 1), "uint8", (0.0, 16.0), ("a", "b", "c"))


def examples(count: int) -> Examples:
    inputs = np.arange(count * 4, dtype=np.uint8).reshape(count, 2, 2, 1) % 17
    return Examples(inputs, np.arange(count) % 3)


def test_the_description_of_the_images_is_enough(
    small: Callable[[], Config], tmp_path: Path
) -> None:
    tasks = [Task(small(), SPEC, tmp_path, silent) for _ in range(2)]
    for task in tasks:
        task.check()
        assert task.server_trainer.model.input_shape == (None, 2, 2, 1)
        assert task.server_trainer.model.output_shape == (None, 3)
    one, other = (weights_sha256(task.initial) for task in tasks)
    assert one == other


def test_what_is_alike_is_shared(small: Callable[[], Config], tmp_path: Path) -> None:
    config = small()
    task = Task(config, SPEC, tmp_path, silent)
    test = examples(6)
    assert task.edge_trainer.model is task.server_trainer.model
    scorer = task.scorer(task.server_trainer, test)
    assert task.scorer(task.edge_trainer, test) is scorer
    # Another test set, for example an edge's own, has a scorer of its own.
    assert task.scorer(task.edge_trainer, examples(3)).all(task.initial).n == 3
    assert scorer.all(task.initial).n == 6

    config.server.optimizer = "sgd"
    task = Task(config, SPEC, tmp_path, silent)
    assert task.edge_trainer.model is not task.server_trainer.model
    assert task.scorer(task.edge_trainer, test) is not task.scorer(task.server_trainer, test)


def test_a_function_that_is_not_there_is_named(small: Callable[[], Config], tmp_path: Path) -> None:
    config = small()
    config.edge.callbacks = "models_for_tests:nosuch"
    with pytest.raises(ConfigError, match=r"edge\.callbacks"):
        Task(config, SPEC, tmp_path, silent).check()
