"""Keras' global settings, dtype policies, and what a user's function may and may not do."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from ecavg_tf import environment
from ecavg_tf.config import Config, EdgeConfig
from ecavg_tf.core.errors import InstallationError, ModelError
from ecavg_tf.data.dataset import DataSpec, Examples
from ecavg_tf.keras_settings import check_keras_settings, keras_settings
from ecavg_tf.models.builders import build_model, template_of
from ecavg_tf.training.compiled import Compilation, CompiledModel
from ecavg_tf.training.trainer import KerasTrainer

SPEC = DataSpec("tiny", (6, 6, 1), "uint8", (0.0, 16.0), ("a", "b", "c"))
RNG = np.random.default_rng(0)
EXAMPLES = Examples(
    RNG.integers(0, 17, (40, 6, 6, 1), np.uint8), RNG.integers(0, 3, 40).astype(np.int64)
)


@pytest.fixture(autouse=True)
def kept() -> Iterator[None]:
    """Whatever a test sets of Keras, the next one finds it as it was."""
    yield
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy("float32")
    keras.config.set_max_epochs(None)


def conv_net(dtype: str | None, head: str | None = "float32") -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(SPEC.input_shape),
            keras.layers.Rescaling(1 / 16),
            keras.layers.Conv2D(4, 3, activation="relu", dtype=dtype),
            keras.layers.BatchNormalization(dtype=dtype),
            keras.layers.Flatten(),
            keras.layers.Dense(SPEC.num_classes, "softmax", dtype=head),
        ]
    )


def policy_float16(spec: DataSpec) -> keras.Model:
    del spec
    keras.config.set_dtype_policy("mixed_float16")
    return conv_net(None, None)


def policy_bfloat16(spec: DataSpec) -> keras.Model:
    del spec
    keras.config.set_dtype_policy("mixed_bfloat16")
    return conv_net(None)


def floatx_float64(spec: DataSpec) -> keras.Model:
    del spec
    keras.config.set_floatx("float64")
    return conv_net(None, None)


def layers_float16(spec: DataSpec) -> keras.Model:
    del spec
    return conv_net("mixed_float16")


def layers_float64(spec: DataSpec) -> keras.Model:
    del spec
    return conv_net("float64", "float64")


def weights_float16(spec: DataSpec) -> keras.Model:
    del spec
    return conv_net("float16")


def first(spec: DataSpec) -> keras.Model:
    del spec
    keras.config.set_image_data_format("channels_first")
    return keras.Sequential([keras.Input(SPEC.input_shape), keras.layers.Conv2D(4, 1)])


SHARED = keras.layers.Dense(SPEC.num_classes, "softmax")


def lends_a_layer(spec: DataSpec) -> keras.Model:
    return keras.Sequential([keras.Input(spec.input_shape), keras.layers.Flatten(), SHARED])


def two_inputs(spec: DataSpec) -> keras.Model:
    inputs = [keras.Input(spec.input_shape), keras.Input(spec.input_shape)]
    flat = keras.layers.Flatten()(keras.layers.Add()(inputs))
    return keras.Model(inputs, keras.layers.Dense(spec.num_classes, "softmax")(flat))


class Fussy(keras.layers.Layer):
    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        raise ValueError(f"I need square images of at least 32 pixels, not {x.shape[1]}")


class Outer(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.fussy = Fussy()

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return self.fussy(x)


def fussy(spec: DataSpec) -> keras.Model:
    del spec
    return Outer()


def built(name: str) -> keras.Model:
    config = Config()
    config.model.name = f"{__name__}:{name}"
    return build_model(config, SPEC, "x")


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize(
    "name",
    ["policy_float16", "policy_bfloat16", "layers_float16", "floatx_float64", "layers_float64"],
)
def test_each_dtype_policy_trains_and_recalibrates(name: str, optimizer: str) -> None:
    model = built(name)
    assert keras.config.floatx() == "float32"
    assert keras.config.dtype_policy().name == "float32"
    settings = EdgeConfig(epochs=2, batch_size=16, optimizer=optimizer)
    compiled = CompiledModel(
        model, Compilation.of(settings), input_shape=SPEC.input_shape, logits=False
    )
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == ("float16" in name and "bfloat16" not in name)
    trainer = KerasTrainer(compiled, settings, seed=1)
    start = model.get_weights()
    local = trainer.fit(start, EXAMPLES, round_number=1, who="edge-00")
    again = trainer.fit(start, EXAMPLES, round_number=1, who="edge-00")
    assert all(np.array_equal(one, other) for one, other in zip(local, again, strict=True))
    assert any(not np.array_equal(one, other) for one, other in zip(local, start, strict=True))
    done = trainer.recalibrate(local, EXAMPLES, round_number=1, who="edge-00")
    assert all(np.isfinite(array).all() for array in done)
    assert {spec.dtype for spec in template_of(model).weights} <= {"float32", "float64"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lends_a_layer", "with a variable that it has given before"),
        ("two_inputs", "takes 2 inputs; expected one"),
        ("fussy", r"I need square images of at least 32 pixels, not 6 \(in Fussy\)"),
    ],
)
def test_models_that_are_refused(name: str, said: str) -> None:
    with pytest.raises(ModelError, match=said) as caught:  # the second call tells
        built(name)
        built(name)
    assert "\n" not in str(caught.value)


def test_half_precision_weights_are_refused_with_their_policy() -> None:
    with pytest.raises(ModelError, match=r"is float16; .* dtype policy 'mixed_float16'"):
        template_of(built("weights_float16"))


def test_a_function_that_turns_the_data_format_is_refused_and_undone() -> None:
    with pytest.raises(InstallationError, match="image_data_format is 'channels_first'"):
        built("first")
    assert keras.config.image_data_format() == "channels_last"


def test_settings_that_cut_training_short_are_refused() -> None:
    keras.config.set_max_epochs(1)
    with pytest.raises(InstallationError, match="KERAS_MAX_EPOCHS"):
        check_keras_settings()


def test_the_environment_holds_the_settings_and_old_ones_are_no_difference() -> None:
    now = environment.describe()
    assert now["keras"] == keras_settings()
    assert now["keras"]["image_data_format"] == "channels_last"
    old = {name: value for name, value in now.items() if name != "keras"}
    assert environment.differences(old, now) == []
    other = {**now, "keras": {**now["keras"], "floatx": "float64"}}
    assert len(environment.differences(other, now)) == 1


@pytest.mark.parametrize(
    ("stored", "variables", "said"),
    [
        ({"backend": "jax"}, {}, "backend is 'jax'"),
        ({}, {"KERAS_BACKEND": "torch"}, "backend is 'torch'"),
        ({"image_data_format": "channels_first"}, {}, "image_data_format is 'channels_first'"),
        ({"floatx": "float16"}, {}, "floatx is 'float16'"),
    ],
)
def test_a_machines_keras_json_is_named(
    stored: dict[str, str],
    variables: dict[str, str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "keras.json").write_text(json.dumps(stored))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    script = "from ecavg_tf.keras_settings import check_keras_settings as c; c()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert said in done.stderr
    assert str(tmp_path / "keras.json") in done.stderr
