"""Inputs that were rescaled before a model that rescales them itself: a note tells of it."""

import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

import export
from ecavg_tf.cli import main
from ecavg_tf.core.exports import Exported, Parity, Proportion
from export.proving.given_range import accuracy_note, range_notes

layers = keras.layers
RAW = np.random.default_rng(0).uniform(0, 255, (40, 4, 4, 1)).astype("float32")


def model(*begin: keras.layers.Layer) -> keras.Model:
    keras.utils.set_random_seed(0)
    ends = (layers.Flatten(), layers.Dense(3, activation="softmax", name="head"))
    return keras.Sequential([keras.Input((4, 4, 1)), *begin, *ends])


BEGINS = {
    "255": layers.Rescaling(1 / 255),
    "127.5": layers.Rescaling(1 / 127.5, offset=-1),
    "measured": layers.Normalization(axis=None, mean=127.0, variance=74.0**2),
}


@pytest.mark.parametrize("begin", list(BEGINS))
def test_what_the_model_makes_of_its_inputs(begin: str) -> None:
    rescaling = model(BEGINS[begin])
    assert range_notes(rescaling, RAW, None) == ()
    (said,) = range_notes(rescaling, RAW / 255, None)
    assert "reach layer 'head' as" in said and "give raw ones" in said
    (said,) = range_notes(rescaling, RAW * 20, None)
    assert "give inputs in the range that the model rescales from" in said


def test_a_model_that_takes_what_it_gets() -> None:
    assert range_notes(model(), RAW, None) == ()
    assert range_notes(model(), RAW / 255, None) == ()
    assert range_notes(model(layers.Embedding(256, 2)), RAW, None) == ()
    constant = np.full_like(RAW, 7.0)
    assert range_notes(model(BEGINS["255"]), constant, None) == ()


def test_a_range_that_was_told() -> None:
    assert range_notes(model(), RAW, (0, 255)) == ()
    (said,) = range_notes(model(), RAW / 255, (0, 255))
    assert "raw inputs go from 0 to 255; if these were rescaled, give raw ones" in said
    (said,) = range_notes(model(), RAW, (0, 1))
    assert "raw inputs were said to go from 0 to 1" in said


def test_to_tflite_warns_its_caller() -> None:
    begins = model(BEGINS["255"])
    with pytest.warns(UserWarning, match=r"no value is above .* raw inputs go from 0 to 255"):
        export.to_tflite(begins, RAW / 255, "float32", value_range=(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export.to_tflite(begins, RAW[:, ..., 0], "float32")  # grey, without its channel


def row(accuracy: float, low: float) -> Exported:
    known = Parity("some", 100, 0, 0, 1, 1, 0, 0, "nats", Proportion(accuracy, low, 1.0))
    return Exported("mine", None, "", "int8", "passed", parity=known)


def test_a_model_that_is_no_better_than_one_class() -> None:
    labels = np.repeat([0, 1], [60, 40])
    missing = Exported("mine", None, "", "float32", "failed")
    assert accuracy_note((missing, row(0.72, 0.61)), labels) is None
    said = accuracy_note((missing, row(0.65, 0.55)), labels)
    assert said is not None and "right on 65.0 % of the 100 test examples" in said
    assert "most frequent class would be on 60.0 %" in said
    assert accuracy_note((missing,), labels) is None


def test_windows_of_sensors_and_notes_in_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keras.utils.set_random_seed(0)
    ends = (layers.GlobalAveragePooling1D(), layers.Dense(4, activation="softmax"))
    net = keras.Sequential([keras.Input((12, 6)), layers.Conv1D(8, 5, activation="relu"), *ends])
    net.save(tmp_path / "sensor.keras")
    x = np.random.default_rng(0).uniform(-8, 8, (400, 12, 6)).astype("float32")
    y = (net.predict(x, verbose=0).argmax(axis=1) + 1) % 4  # always wrong
    file = tmp_path / "sensor.npz"
    parts = {"x_train": x[:200], "y_train": y[:200], "x_test": x[200:], "y_test": y[200:]}
    np.savez(file, **parts, value_range=np.array([-8.0, 8.0]))
    words = ["export", str(tmp_path / "sensor.keras"), f"--data={file}", "--formats=int8"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "note: Keras' model itself is right on" in printed and " passed " in printed
