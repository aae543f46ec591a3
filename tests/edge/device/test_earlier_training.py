"""Training bundles of an earlier version, with an open batch and no input ``one``.

``earlier-training.bundle.zip`` was written by the version before batches were fixed: digits, a
hidden layer of 4, plain SGD, four golden examples.
"""

from dataclasses import replace
from pathlib import Path

import exports_for_tests as made
import pytest

from ecavg_tf.core.bundles.training_bundle import read_training_bundle, write_training_bundle
from ecavg_tf.core.errors import ConfigError
from edge.device.check_training import check_training_bundle
from edge.device.learner import DeviceTrainer
from edge.device.runtime import find_runtime
from edge.device.training_model import TrainingModel
from edge.device.training_settings import TrainingSettings

EARLIER = Path(__file__).with_name("earlier-training.bundle.zip")


def test_it_is_checked_and_trains() -> None:
    checked = check_training_bundle(EARLIER)
    assert checked.difference < 1e-5
    model = TrainingModel(find_runtime(), checked.bundle)
    start, train = model.get().weights, made.digits().train
    trainer = DeviceTrainer(model, TrainingSettings(2, 100, 0.1), seed=0)  # any batch size
    trained = trainer.fit_held(start, train, round_number=1, who="edge-00")
    before, after = (trainer.predictions_of(weights, train) for weights in (start, trained))
    assert after.log_likelihood.mean() > before.log_likelihood.mean() + 0.1


def test_it_is_written_again_as_it_was(tmp_path: Path) -> None:
    write_training_bundle(tmp_path / "again.zip", read_training_bundle(EARLIER))
    assert (tmp_path / "again.zip").read_bytes() == EARLIER.read_bytes()


def test_a_file_with_a_fixed_batch_takes_no_larger_ones() -> None:
    bundle = read_training_bundle(EARLIER)
    model = TrainingModel(find_runtime(), bundle)
    model.info = replace(bundle.info, batch=16)
    DeviceTrainer(model, TrainingSettings(1, 16, 0.1), seed=0)
    with pytest.raises(ConfigError, match=r"at most 16 examples, 17 .*\(--batch-size\)"):
        DeviceTrainer(model, TrainingSettings(1, 17, 0.1), seed=0)
