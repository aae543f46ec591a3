"""A Keras file from elsewhere is loaded in a child process before it is loaded here."""

import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ecavg_tf.core.errors import ExportError, ModelError
from export import child_process
from export.child_process import End
from export.jobs import keras_file
from export.jobs.keras_file import load_keras
from export.making import converting_process
from export.making.converting_process import ConversionError, stop


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "mine.keras"
    head = keras.layers.Dense(3, activation="softmax")
    keras.Sequential([keras.Input((4,)), head]).save(path)
    return path


def asked(monkeypatch: pytest.MonkeyPatch, answer: ConversionError | None) -> list[Any]:
    """What the child is asked; it does not run."""
    requests: list[Any] = []

    def ask(request: Any, seconds: float) -> None:
        requests.append((request, seconds))
        if answer is not None:
            raise answer

    monkeypatch.setattr(converting_process, "_ask", ask)
    return requests


def test_what_ends_the_child_is_never_loaded_here(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash = ConversionError("its process ended by signal 11", "", End.CRASHED)
    requests = asked(monkeypatch, crash)
    monkeypatch.setattr(keras_file.keras.models, "load_model", None)
    with pytest.raises(ModelError, match=r"of its own, loading it failed \(.*signal 11\); don't"):
        load_keras(saved)
    assert requests == [({"do": "load", "file": str(saved)}, 300.0)]


def test_what_the_child_only_refuses_is_left_to_this_process(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(monkeypatch, ConversionError("Could not locate class 'Mine'"))
    assert load_keras(saved).output_shape == (None, 3)


UNKNOWN = type("Mine", (keras.layers.Flatten,), {"__module__": "elsewhere"})


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (UNKNOWN(), r"its class 'Mine' is not known here.*export\.to_tflite"),
        (keras.layers.Lambda(lambda x: 2 * x), r"holds a Python lambda.*safe_mode=False"),
    ],
)
def test_code_that_a_file_asks_for_is_named_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layer: keras.layers.Layer, said: str
) -> None:
    asked(monkeypatch, None)
    keras.Sequential([keras.Input((4,)), layer, keras.layers.Dense(2)]).save(tmp_path / "m.keras")
    with pytest.raises(ModelError, match=said):
        load_keras(tmp_path / "m.keras")


def test_an_answer_in_a_dictionary_of_one_is_taken_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(monkeypatch, None)
    inputs = keras.Input((4,))
    model = keras.Model(inputs, {"label": keras.layers.Dense(2, activation="softmax")(inputs)})
    model.save(tmp_path / "mine.keras")
    found = load_keras(tmp_path / "mine.keras")
    given = np.ones((3, 4), np.float32)
    np.testing.assert_array_equal(found(given), model(given)["label"])


def test_channels_that_come_first_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(monkeypatch, None)
    layers = [
        keras.layers.Conv2D(2, 3, data_format="channels_first", name="first"),
        keras.layers.Flatten(),
        keras.layers.Dense(2, activation="softmax"),
    ]
    keras.Sequential([keras.Input((1, 8, 8)), *layers]).save(tmp_path / "mine.keras")
    with pytest.raises(ExportError, match=r"layers 'first' have data_format='channels_first'"):
        keras_file.export_file(tmp_path / "mine.keras", tmp_path / "out", formats="float32")


def test_a_file_that_changes_meanwhile(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(monkeypatch, None)
    loading = keras.models.load_model

    def changing(file: Path, **options: Any) -> keras.Model:
        model = loading(file, **options)
        file.write_bytes(b"another")
        return model

    monkeypatch.setattr(keras_file.keras.models, "load_model", changing)
    with pytest.raises(ModelError, match="was changed while it was loaded"):
        load_keras(saved)


@pytest.mark.slow
def test_a_file_that_takes_all_memory_ends_the_child_alone(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of 20 kB that asks for a layer of 16 GB."""
    greedy = tmp_path / "greedy.keras"
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(greedy, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                content = content.replace(b'"units": 3', b'"units": 1000000000')
                assert json.loads(content)
            target.writestr(name, content)
    load_keras(saved)  # the child is warm
    monkeypatch.setattr(child_process, "memory_limit", lambda _: 2**30)
    try:
        with pytest.raises(ModelError, match=r"it takes more than 1\.0 GiB of memory\); don't use"):
            load_keras(greedy)
    finally:
        stop()
    monkeypatch.undo()
    assert load_keras(saved).output_shape == (None, 3)
