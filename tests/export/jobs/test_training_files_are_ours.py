"""``--trainable`` writes over nothing but what it made."""

from pathlib import Path

import pytest
from bundles_for_tests import trains

from ecavg_tf.core.bundles.training_bundle import write_training_bundle
from ecavg_tf.core.errors import ConfigError, ExportError
from export.jobs.training import export_training

BUNDLE = "training-head.bundle.zip"


def exported(folder: Path) -> None:
    """As far as it gets without a model: files that are there are looked at first."""
    export_training(folder / "mine.keras", trainable="head", out=str(folder))


@pytest.mark.parametrize("name", ["training-head.tflite", f"{BUNDLE}.sig"])
def test_a_file_that_no_bundle_explains(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(ExportError, match=f"{name} would be written over, and {BUNDLE} is not"):
        exported(tmp_path)
    assert (tmp_path / name).read_bytes() == b"mine"


def test_a_plain_file_that_is_not_the_bundles_model(tmp_path: Path) -> None:
    write_training_bundle(tmp_path / BUNDLE, trains())
    plain = tmp_path / "training-head.tflite"
    for kept in (plain.mkdir, lambda: (plain.rmdir(), plain.write_bytes(b"mine"))):
        kept()
        with pytest.raises(ExportError, match=f"it is not the model in {BUNDLE}: move it away"):
            exported(tmp_path)
    plain.write_bytes(trains().model)
    with pytest.raises(ConfigError, match="give --data=NAME"):  # what comes next
        exported(tmp_path)
