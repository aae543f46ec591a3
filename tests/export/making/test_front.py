"""int8 of features on scales of their own, and of token ids."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ecavg_tf.config import Limits
from ecavg_tf.core.bundles.bundle import read_bundle
from ecavg_tf.core.bundles.scaling import FeatureScaling
from ecavg_tf.core.exports import Exported
from ecavg_tf.core.template import weights_sha256
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.data.ranges import measured_range
from ecavg_tf.models.rescaling import rescaling
from edge.predict import Predictor
from export.api import to_tflite
from export.exporter import Exporter
from export.making.calibration import as_calibration
from export.making.formats import Variant
from export.making.front import front_of
from export.reading.metadata import read_description
from export.subject import Subject

layers = keras.layers
DRAW = np.random.default_rng(0)
# Two features that decide, and their scales: beside the first, the second is less than a step.
LABELS = np.arange(240) % 3
TABLE = np.stack(
    [DRAW.normal(size=240) * 1e4, LABELS * 0.1 + DRAW.normal(size=240) * 0.01], axis=1
).astype(np.float32)
WORDS = np.where(
    DRAW.random((240, 12)) < 0.5, LABELS[:, None] * 300 + 1, DRAW.integers(0, 900, (240, 12))
).astype(np.int32)


def spec_of(inputs: Any) -> DataSpec:
    found = measured_range([("x", inputs)])
    return DataSpec(
        "mine",
        inputs.shape[1:],
        inputs.dtype.name,
        found.value_range,
        ("a", "b", "c"),
        found.declared,
        found.feature_ranges,
    )


def trained(inputs: Any, *parts: keras.layers.Layer, dtype: str = "float32") -> keras.Model:
    keras.utils.set_random_seed(0)
    ends = [layers.Dense(16, activation="relu"), layers.Dense(3, activation="softmax")]
    model = keras.Sequential([keras.Input(inputs.shape[1:], dtype=dtype), *parts, *ends])
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    model.fit(inputs, LABELS, epochs=8, batch_size=48, verbose=0)
    return model


def exported(model: keras.Model, train: Any, test: Any, folder: Path) -> Exported:
    """The model's int8 file."""
    subject = Subject(
        name=folder.name,
        weights_sha256=weights_sha256(model.get_weights()),
        origin={"edge": "north"},
        calibration=as_calibration(train, 200, 0),
        inputs=test,
        labels=LABELS,
        words="all examples",
    )
    exporter = Exporter(model, spec_of(train), False, Limits(), 0.001)
    (row,) = exporter.export(subject, (Variant.INT8,), folder)
    return row


@pytest.fixture(scope="module")
def table_model() -> keras.Model:
    return trained(TABLE, rescaling(spec_of(TABLE)), layers.Flatten())


def test_a_model_is_taken_apart_behind_its_rescaling(table_model: keras.Model) -> None:
    front = front_of(table_model)
    assert front is not None
    whole = keras.ops.convert_to_numpy(table_model(TABLE, training=False))
    rest = keras.ops.convert_to_numpy(front.rest(front.scaling(TABLE), training=False))
    np.testing.assert_allclose(rest, whole, atol=1e-5)
    assert front.rest.layers[-1] is table_model.layers[-1]


def test_a_normalization_that_was_adapted_is_taken_off_too() -> None:
    adapted = layers.Normalization()
    adapted.adapt(TABLE)
    model = trained(TABLE, adapted)
    front = front_of(model)
    assert front is not None
    np.testing.assert_allclose(front.scaling(TABLE).mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(front.scaling(TABLE).std(axis=0), 1, atol=1e-4)


def doubled(entry: Any) -> keras.Model:
    """A model in which two layers read the input."""
    scaled = layers.Rescaling([1.0, 2.0])(entry)
    return keras.Model(entry, layers.Dense(3)(layers.Concatenate()([scaled, entry])))


@pytest.mark.parametrize(
    "model",
    [
        keras.Sequential([keras.Input((2,)), layers.Rescaling(0.5), layers.Dense(3)]),
        keras.Sequential([keras.Input((2,)), layers.Dense(3)]),
        keras.Sequential([keras.Input((4, 4, 2)), layers.Rescaling([1.0, 2.0]), layers.Flatten()]),
        doubled(keras.Input((2,))),
    ],
    ids=["one scale", "none", "a picture", "two readers"],
)
def test_what_stays_in_the_file(model: keras.Model) -> None:
    assert front_of(model) is None


def test_int8_of_a_table_keeps_its_small_features(table_model: keras.Model, tmp_path: Path) -> None:
    odd = TABLE.copy()
    odd[0, 0] = 1e7  # outside the range, which nobody declared: it must not fail the whole file
    int8 = exported(table_model, TABLE, odd, tmp_path / "table")
    assert int8.status == "passed", int8.reasons
    assert int8.parity is not None
    assert int8.parity.file_accuracy is not None
    assert int8.parity.file_accuracy.value > 0.95
    bundle = read_bundle(tmp_path / str(int8.bundle))
    assert bundle.golden_inputs.max() > 1000  # raw
    assert not bundle.info.declared
    assert bundle.info.feature_scaling is not None
    assert read_description(bundle.model).feature_scaling == bundle.info.feature_scaling
    predictor = Predictor(tmp_path / str(int8.bundle), check=False)
    right = predictor.predict(odd).argmax(axis=1) == LABELS
    assert right.mean() == pytest.approx(int8.parity.file_accuracy.value)


def test_token_ids_go_into_files_as_whole_numbers(tmp_path: Path) -> None:
    model = trained(WORDS, layers.Embedding(901, 8), layers.GlobalAveragePooling1D())
    row = exported(model, WORDS, WORDS, tmp_path / "text")
    assert row.status == "passed", row.reasons
    bundle = read_bundle(tmp_path / str(row.bundle))
    assert (bundle.info.input.dtype, bundle.golden_inputs.dtype) == ("int32", np.int32)
    right = Predictor(tmp_path / str(row.bundle), check=False).predict(WORDS).argmax(axis=1)
    assert (right == LABELS).mean() > 0.9


def test_token_ids_without_a_run() -> None:
    model = trained(WORDS, layers.Embedding(901, 8), layers.GlobalAveragePooling1D())
    file = to_tflite(model, WORDS, "int8")["int8"]
    assert file.input.dtype == "int32"


def test_scaling_as_a_device_does_it() -> None:
    scaling = FeatureScaling((0.5, 0.0), (-1.0, 0.25))
    np.testing.assert_array_equal(scaling(np.array([[4, 9], [0, 7]])), [[1, 0.25], [-1, 0.25]])
