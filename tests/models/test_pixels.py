"""Models of people's own that get pixels as they are: the note, and the layer that mends it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from ecavg_tf.config import Config, Rescale
from ecavg_tf.config.checks import validated
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.data.sources import load_data
from ecavg_tf.events import Event, Note
from ecavg_tf.models.builders import build_model
from ecavg_tf.models.pixels import meets_raw_pixels, raw_pixels_note
from ecavg_tf.task import Task

SPEC = DataSpec("photos", (12, 12, 3), "uint8", (0, 255), tuple("wxyz"))
SHAPE, CLASSES = SPEC.input_shape, SPEC.num_classes


def head() -> list[Any]:
    return [layers.Flatten(), layers.Dense(CLASSES, activation="softmax")]


def sequential(*first: Any) -> keras.Model:
    conv = layers.Conv2D(4, 3, name="conv")
    return keras.Sequential([keras.Input(SHAPE), *first, conv, *head()])


def functional(first: Callable[[Any], Any] = lambda pixels: pixels) -> keras.Model:
    inputs = keras.Input(SHAPE)
    features = layers.Conv2D(4, 3, name="conv")(first(inputs))
    added = layers.Add()([features, layers.Conv2D(4, 1)(features)])
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(layers.Flatten()(added)))


class Subclassed(keras.Model):
    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.conv = layers.Conv2D(4, 3, name="conv")
        self.flat, self.dense = head()

    def call(self, pixels: Any) -> Any:
        return self.dense(self.flat(self.conv(pixels * self.scale)))


def nested(*first: Any) -> keras.Model:
    return keras.Sequential([keras.Input(SHAPE), sequential(*first)])


def recurrent() -> keras.Model:
    rows = layers.Reshape((12, 36))
    lstm = layers.Bidirectional(layers.LSTM(3), name="conv")
    return keras.Sequential([keras.Input(SHAPE), rows, lstm, *head()])


RAW = {
    "sequential": sequential,
    "functional": functional,
    "subclassed": Subclassed,
    "nested": nested,
    "recurrent": recurrent,
    "pooled": lambda: sequential(layers.AveragePooling2D(2), layers.ZeroPadding2D(4)),
    "augmented": lambda: sequential(layers.RandomFlip(), layers.Dropout(0.5)),
}
FINE = {
    "rescaling": lambda: sequential(layers.Rescaling(1 / 255)),
    "to -1..1": lambda: sequential(layers.Rescaling(1 / 127.5, offset=-1)),
    "normalization": lambda: sequential(layers.Normalization(mean=127.0, variance=5000.0)),
    "batchnorm": lambda: sequential(layers.BatchNormalization()),
    "nested": lambda: nested(layers.Rescaling(1 / 255)),
    "division": lambda: functional(lambda pixels: pixels / 255.0),
    "mean taken off": lambda: functional(lambda pixels: pixels[..., ::-1] - 120.0),
    "subclassed": lambda: Subclassed(1 / 255),
}


@pytest.mark.parametrize("kind", RAW)
def test_models_that_get_raw_pixels(kind: str) -> None:
    model = RAW[kind]()
    model(np.zeros((1, *SHAPE), np.float32))
    before = model.get_weights()
    note = raw_pixels_note(model, SPEC)
    assert note is not None
    assert "layer 'conv' gets values from 0 to 255" in note
    assert "model.rescale=auto" in note
    for then, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(then, now)


@pytest.mark.parametrize("kind", FINE)
def test_models_that_rescale_by_themselves(kind: str) -> None:
    model = FINE[kind]()
    model(np.zeros((1, *SHAPE), np.float32))
    assert meets_raw_pixels(model, SPEC) is None


def test_small_ranges_are_nobodys_concern() -> None:
    for low, high in ((0, 1), (-1, 1), (0, 16)):
        assert (
            raw_pixels_note(sequential(), DataSpec("x", SHAPE, "float32", (low, high), ("a", "b")))
            is None
        )


def configured(monkeypatch: pytest.MonkeyPatch, make: Callable[[], keras.Model]) -> Config:
    monkeypatch.setitem(globals(), "made", lambda _: make())
    config = Config()
    config.model.name = f"{__name__}:made"
    return config


@pytest.mark.parametrize("kind", ["sequential", "functional", "subclassed", "nested"])
def test_auto_adds_the_layer(kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = configured(monkeypatch, RAW[kind])
    plain = build_model(config, SPEC, "shared")
    assert meets_raw_pixels(plain, SPEC) == "conv"
    config.model.rescale = Rescale.AUTO
    mended = build_model(config, SPEC, "shared")
    assert meets_raw_pixels(mended, SPEC) is None
    inputs = np.random.default_rng(0).uniform(0, 255, (3, *SHAPE)).astype(np.float32)
    np.testing.assert_allclose(mended(inputs), plain(inputs / 255), rtol=1e-5, atol=1e-6)
    assert [w.shape for w in mended.get_weights()] == [w.shape for w in plain.get_weights()]
    if kind != "subclassed":
        mended.save(tmp_path / "m.keras")
        again = keras.models.load_model(tmp_path / "m.keras")
        np.testing.assert_array_equal(again(inputs), mended(inputs))
        assert isinstance(mended.layers[-1], layers.Dense | keras.Sequential)


def test_auto_leaves_alone_what_rescales_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    config = configured(monkeypatch, FINE["rescaling"])
    config.model.rescale = "auto"  # type: ignore[assignment]
    model = build_model(validated(config), SPEC, "shared")
    assert sum(isinstance(layer, layers.Rescaling) for layer in model.layers) == 1


def photos() -> Any:
    pixels = np.random.default_rng(0).integers(0, 256, (40, *SHAPE), np.uint8)
    return (pixels, np.arange(40) % 3 + 1), (pixels, np.arange(40) % 3 + 1)


def test_notes_are_told_before_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = configured(monkeypatch, sequential)
    config.data.name = f"{__name__}:photos"
    told: list[Event] = []
    data = load_data(config.data, config.seed)
    Task(config, data.spec, tmp_path, told.append).tell_notes(data.notes)
    assert [isinstance(event, Note) for event in told] == [True, True]
    assert "1 of 4 classes have no training example: 0" in str(told[0])
    assert "layer 'conv' gets values from 0 to 255" in str(told[1])
