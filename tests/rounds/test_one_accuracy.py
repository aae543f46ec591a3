"""A run's end: an edge's file is the model that it accepted, or the edge is named."""

from collections.abc import Callable
from pathlib import Path

import keras
import pytest

import ecavg_tf
from ecavg_tf.config import Config
from ecavg_tf.core.errors import RoundError
from ecavg_tf.core.messages.update_file import TensorFile, save_tensors
from ecavg_tf.data.federated import federated_data
from ecavg_tf.events import silent
from ecavg_tf.models.builders import build_model
from ecavg_tf.models.saving import save_model
from ecavg_tf.rounds.one_accuracy import check_one_accuracy
from ecavg_tf.task import Task
from edge.participating.accepted import accepted_files


def test_a_file_of_another_model_is_named(small: Callable[[], Config], tmp_path: Path) -> None:
    config = small()
    ecavg_tf.run(config, tmp_path)  # its own check is passed
    data = federated_data(config)
    task = Task(config, data.spec, tmp_path, silent)
    test = data.test
    folders = [tmp_path / "edges" / edge for edge in data.edges]
    assert check_one_accuracy(task, folders, test)[0] == "edge-00"
    save_model(build_model(config, data.spec, "other"), folders[0], "accepted")
    with pytest.raises(RoundError, match=r"edge-00: .*accepted.keras is not the model") as caught:
        check_one_accuracy(task, folders, test)
    assert "\n" not in str(caught.value)


def test_a_model_of_keras_own_layers_is_not_built_anew(
    small: Callable[[], Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a deep net that took a tenth of a round."""
    built: list[object] = []
    monkeypatch.setattr(keras.models, "load_model", lambda *args, **_: built.append(args))
    ecavg_tf.run(small(), tmp_path)
    assert (tmp_path / "edges" / "edge-00" / "accepted.keras").exists()
    assert built == []


def test_a_recorded_accuracy_that_the_file_does_not_have_is_named(
    small: Callable[[], Config], tmp_path: Path
) -> None:
    config = small()
    ecavg_tf.run(config, tmp_path)
    data = federated_data(config)
    task = Task(config, data.spec, tmp_path, silent)
    folder = tmp_path / "edges" / "edge-00"
    path = accepted_files(folder)[-1]
    stored = TensorFile(path)
    metadata = dict(stored.metadata)
    metadata["accepted"]["all"]["accuracy"] = 1.25
    save_tensors(path, {key: stored[key] for key in stored.keys}, metadata)
    with pytest.raises(RoundError, match=r"edge-00: results.json tells of .* 125.00%"):
        check_one_accuracy(task, [folder], data.test)
