"""A machine's ``keras.json`` may say float64: what files can't compute is said before training."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

import export
from ecavg_tf import Config
from ecavg_tf.core.errors import ExportError
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.events import Event, StageStarted
from ecavg_tf.rounds.loop import run

layers = keras.layers
INPUTS = np.random.default_rng(0).normal(size=(40, 5)).astype("float32")


def double(spec: DataSpec) -> keras.Model:
    """A model as ``floatx`` float64 makes it."""
    policy = keras.dtype_policies.DTypePolicy("float64")
    head = layers.Dense(spec.num_classes, activation="softmax", dtype=policy, name="mine")
    return keras.Sequential([keras.Input(spec.input_shape), layers.Flatten(), head], name="double")


def test_it_is_said_before_any_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    config = Config()
    config.model.name = "test_precision:double"
    config.export.enabled = True
    heard: list[Event] = []
    with pytest.raises(ExportError, match="layer 'mine' computes in float64, which TFLite has no"):
        run(config, tmp_path / "run", listener=heard.append)
    assert not any(isinstance(event, StageStarted) for event in heard)
    assert not (tmp_path / "run").exists()


def test_weights_in_float64_are_named() -> None:
    model = double(DataSpec("some", (5, 1, 1), "float32", (0.0, 1.0), ("a", "b")))
    with pytest.raises(ExportError, match=r"'mine' computes in float64.*'floatx' in keras.json"):
        export.to_tflite(model, INPUTS.reshape(40, 5, 1, 1), "float32")


def test_what_has_no_weights_computes_in_float32() -> None:
    """A model that was loaded under such a setting: only what holds the layers is in float64."""
    keras.utils.set_random_seed(0)
    kept = keras.config.dtype_policy()
    ends = layers.Dense(3, activation="softmax", dtype="float32")
    keras.config.set_dtype_policy("float64")
    try:
        model = keras.Sequential([keras.Input((5,)), layers.Rescaling(0.5), ends])
    finally:
        keras.config.set_dtype_policy(kept)
    assert model.compute_dtype == model.layers[0].compute_dtype == "float64"
    assert list(export.to_tflite(model, INPUTS, "float32")) == ["float32-batch", "float32"]
    assert model.compute_dtype == model.layers[0].compute_dtype == "float64"


@pytest.mark.parametrize("wrap", [lambda layer: layer, layers.Bidirectional])
def test_a_layer_that_remembers_is_named(wrap: Callable[[keras.Layer], keras.Layer]) -> None:
    rolled = wrap(layers.GRU(2, stateful=True, name="mine"))
    model = keras.Sequential([keras.Input(batch_shape=(1, 4, 2)), rolled, layers.Dense(3)])
    inputs = np.zeros((8, 4, 2), np.float32)
    with pytest.raises(ExportError, match=r"\(\w+\) is stateful, and a file begins anew") as told:
        export.to_tflite(model, inputs, "float32", output="logits")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("mode", ["int8", "float8"])
def test_a_layer_that_keras_quantized_is_named(mode: str) -> None:
    head = layers.Dense(3, activation="softmax", name="mine")
    model = keras.Sequential([keras.Input((5,)), head])
    head.quantize(mode)
    with pytest.raises(ExportError, match=r"'mine' \(Dense\) was quantized.*model.quantize\(\)"):
        export.to_tflite(model, INPUTS, "float32")
