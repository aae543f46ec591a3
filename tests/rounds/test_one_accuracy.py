"""A run's end: an edge's file is the model that it accepted, or the edge is named."""

from collections.abc import Callable
from pathlib import Path

import pytest

import ecavg_tf
from ecavg_tf.config import Config
from ecavg_tf.core.errors import RoundError
from ecavg_tf.data.federated import federated_data
from ecavg_tf.events import silent
from ecavg_tf.models.builders import build_model
from ecavg_tf.models.saving import save_model
from ecavg_tf.rounds.one_accuracy import check_one_accuracy
from ecavg_tf.task import Task


def test_a_file_of_another_model_is_named(small: Callable[[], Config], tmp_path: Path) -> None:
    config = small()
    ecavg_tf.run(config, tmp_path)  # its own check is passed
    data = federated_data(config)
    model = Task(config, data.spec, tmp_path, silent).edge_trainer.model
    folders, test = [tmp_path / "edges" / edge for edge in data.edges], data.test
    assert check_one_accuracy(model, folders, test)[0] == "edge-00"
    save_model(build_model(config, data.spec, "other"), folders[0], "accepted")
    with pytest.raises(RoundError, match=r"edge-00: .*accepted.keras is not the model") as caught:
        check_one_accuracy(model, folders, test)
    assert "\n" not in str(caught.value)
