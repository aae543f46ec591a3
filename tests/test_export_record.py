"""An export is found again only where model, images and files are what they were."""

from pathlib import Path

import exports_for_tests as made
import keras
import numpy as np

from ecavg_tf.core.bundle import read_bundle
from ecavg_tf.core.exports import Exported
from ecavg_tf.core.template import weights_sha256
from export.formats import Variant
from export.record import RECORD, intact
from export.service import Exporter, Subject


def net(activation: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Rescaling(1 / 16),
            layers.Dense(16, activation=activation),
            layers.Dense(10, activation="softmax"),
        ]
    )


def exported(model: keras.Model, folder: Path) -> Exported:
    digits = made.digits()
    subject = Subject(
        name="edge-00",
        weights_sha256=weights_sha256(model.get_weights()),
        origin={"edge": "edge-00"},
        calibration=None,
        images=digits.test.images[:40],
        labels=None,
        words="test images",
    )
    exporter = Exporter(model, digits.spec, False, latency_s=0.0)
    (row,) = exporter.export(subject, (Variant.FLOAT32,), folder / "edge-00")
    assert row.status == "passed", row.reasons
    return row


def test_another_function_of_the_same_weights_is_made_anew(tmp_path: Path) -> None:
    relu, tanh = net("relu"), net("tanh")
    assert weights_sha256(relu.get_weights()) == weights_sha256(tanh.get_weights())
    first = exported(relu, tmp_path)
    second = exported(tanh, tmp_path)
    assert first.sha256 != second.sha256
    bundle = read_bundle(tmp_path / str(second.bundle))
    expected = tanh.predict(bundle.golden_inputs.astype("float32"), verbose=0)
    np.testing.assert_allclose(bundle.golden_outputs, expected, atol=1e-5)


def test_the_same_model_built_again_is_found(tmp_path: Path) -> None:
    first = exported(net("relu"), tmp_path)
    file = tmp_path / str(first.file)
    before = file.stat().st_mtime_ns
    assert exported(net("relu"), tmp_path) == first
    assert file.stat().st_mtime_ns == before


def test_a_damaged_record_finds_nothing(tmp_path: Path) -> None:
    model = net("relu")
    first = exported(model, tmp_path)
    for content in ("{}", '{"key": 1}', "no json"):
        (tmp_path / "edge-00" / RECORD).write_text(content)
        again = exported(model, tmp_path)
        assert again.file == first.file and intact(tmp_path, again)
