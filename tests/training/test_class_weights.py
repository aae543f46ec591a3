"""Rare classes may weigh as much as frequent ones in an edge's training."""

import numpy as np
import pytest

from ecavg_tf.config import ClassWeights, Config, EdgeConfig, ServerConfig, with_fields
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.data.dataset import Examples
from ecavg_tf.training.balance import class_weight


def test_balanced_weights_by_hand() -> None:
    labels = np.array([0, 0, 0, 2], np.int64)
    examples = Examples(np.zeros((4, 1, 1, 1), np.uint8), labels)
    assert class_weight(EdgeConfig(), examples) is None
    assert class_weight(ServerConfig(), examples) is None
    balanced = class_weight(EdgeConfig(class_weights=ClassWeights.BALANCED), examples)
    assert balanced == {0: pytest.approx(4 / 6), 2: pytest.approx(2.0)}


def test_edges_that_train_a_file_cannot_weigh_classes() -> None:
    fields = {"edge.class_weights": "balanced", "fleet.training_file": "dense"}
    with pytest.raises(ConfigError, match=r"edges that train a file .* can't weigh classes"):
        with_fields(Config(), fields)
