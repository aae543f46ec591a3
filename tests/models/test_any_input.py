"""Built-in models and users' models on tables, signals and token ids."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ecavg_tf.config import Config, with_fields
from ecavg_tf.core.errors import ConfigError, DataError, ModelError
from ecavg_tf.core.messages.probe import probe_inputs
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.events import silent
from ecavg_tf.models.builders import build_model
from ecavg_tf.models.inputs import for_model
from ecavg_tf.models.outputs import Outputs
from ecavg_tf.models.rescaling import range_note, raw_values_note, takes_tokens
from ecavg_tf.task import Task

ABC = ("a", "b", "c")
TABLE = DataSpec(
    "table", (3,), "float32", (-5.0, 4000.0), ABC, False, ((0.0, 4000.0), (-5.0, -3.0), (1.0, 1.0))
)
SIGNAL = DataSpec("signal", (32, 2), "float32", (0, 100), ABC, False, ((0.0, 1.0), (0.0, 100.0)))
TOKENS = DataSpec("text", (6,), "int32", (0, 39), ABC, False, ((0.0, 39.0),) * 6)
PICTURE = DataSpec("grey", (32, 2, 1), "uint8", (0, 255), ABC)


def config(**fields: Any) -> Config:
    return with_fields(Config(), {name.replace("__", "."): value for name, value in fields.items()})


def text_model(spec: DataSpec, dtype: str = "int32") -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(spec.input_shape, dtype=dtype),
            keras.layers.Embedding(40, 4),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(spec.num_classes, activation="softmax"),
        ]
    )


def floats_model(spec: DataSpec) -> keras.Model:
    """As Keras' own examples are written: the Embedding makes whole numbers of floats again."""
    return text_model(spec, "float32")


class Looked(keras.Model):
    """A model that can take nothing but whole numbers."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        self.words = keras.layers.Embedding(40, 4)
        self.head = keras.layers.Dense(spec.num_classes, activation="softmax")

    def call(self, inputs: Any) -> Any:
        if not keras.backend.is_int_dtype(inputs.dtype):
            raise ValueError("expected token ids")
        return self.head(keras.ops.mean(self.words(inputs), axis=1))


def plain_model(spec: DataSpec) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(spec.input_shape),
            keras.layers.Dense(spec.num_classes, activation="softmax"),
        ]
    )


def named(function: Any) -> str:
    return f"{__name__}:{function.__name__}"


def test_features_come_from_their_own_ranges() -> None:
    model = build_model(config(model__name="mlp"), TABLE)
    rescaled = model.layers[0](np.array([[0, -5, 1], [4000, -3, 1], [8000, -4, 9]], np.float32))
    np.testing.assert_allclose(rescaled, [[-1, -1, 0], [1, 1, 0], [3, 0, 0]], atol=1e-6)


def test_one_range_is_rescaled_as_before() -> None:
    model = build_model(config(model__name="mlp"), PICTURE)
    assert (model.layers[0].scale, model.layers[0].offset) == (1 / 255, 0.0)


@pytest.mark.parametrize(
    "shape", [(32, 2), (32,), (32, 2, 1)], ids=["channels", "one channel", "read as grey"]
)
def test_signals_of_any_shape_fit_conv1d(shape: tuple[int, ...]) -> None:
    spec = DataSpec("signal", shape, "float32", (0, 1), ABC)
    model = build_model(config(model__name="conv1d"), spec)
    assert model(np.zeros((2, *shape), np.float32)).shape == (2, 3)
    assert model.layers[1].output.shape[1] == 32


@pytest.mark.parametrize(
    ("model", "spec", "said"),
    [
        ("conv1d", DataSpec("colour", (32, 32, 3), "uint8", (0, 255), ABC), "takes signals of sha"),
        (
            "conv1d",
            DataSpec("short", (4, 2), "float32", (0, 1), ABC),
            r"\(4, 2\); use model",
        ),
        ("mobilenet_v2", TABLE, "takes pictures of shape .* conv1d for signals"),
        ("resnet50", SIGNAL, "takes pictures of shape"),
    ],
)
def test_models_of_other_inputs(model: str, spec: DataSpec, said: str) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        build_model(config(model__name=model), spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "spec", "tokens"),
    [
        (text_model, TOKENS, True),
        (floats_model, TOKENS, True),
        (Looked, TOKENS, True),
        (plain_model, TOKENS, False),
        (plain_model, TABLE, False),
    ],
)
def test_who_takes_token_ids(make: Any, spec: DataSpec, tokens: bool) -> None:
    model = build_model(config(model__name=named(make)), spec)
    before = model.get_weights()
    assert takes_tokens(model, spec) is tokens
    for kept, weight in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, weight)


def test_a_vocabulary_that_is_too_small() -> None:
    spec = DataSpec("text", (6,), "int32", (0, 40), ABC, False, ((0.0, 40.0),) * 6)
    with pytest.raises(ModelError, match=r"can't take inputs of shape \(6,\): .*40 is not in"):
        build_model(config(model__name=named(text_model)), spec)


def test_an_id_that_only_other_data_has() -> None:
    """The run's range is that of the training data; a test set may go beyond the vocabulary."""
    outputs = Outputs(build_model(config(model__name=named(text_model)), TOKENS), 4)
    with pytest.raises(DataError, match=r"token id 40, the model's vocabulary ends at 39; make"):
        outputs(np.full((2, 6), 40, np.int32))


def test_token_ids_reach_the_model_whole() -> None:
    """A run's checks, its initial weights and its round trip all call the model."""
    task = Task(config(model__name=named(Looked)), TOKENS, Path(), silent)
    task.check()
    assert [weight.shape for weight in task.initial] == [(40, 4), (4, 3), (3,)]
    assert task.server_trainer.anatomy.head_bias == 2


def test_what_stays_whole() -> None:
    assert for_model(np.array([[1, 2**31 - 1]], np.int64)).dtype == np.int32
    assert for_model(np.array([[1, 2**31]], np.int64)).dtype == np.float32  # no id
    assert for_model(np.zeros((2, 4, 4, 1), np.uint8)).dtype == np.float32
    assert for_model(np.zeros((2, 3), np.float64)).dtype == np.float32


@pytest.mark.parametrize("section", ["edge", "server"])
def test_only_pictures_are_flipped_and_shifted(section: str) -> None:
    changed = with_fields(Config(), {f"{section}.augment": True})
    with pytest.raises(ConfigError, match=rf"{section}.augment flips .*\(3,\); leave it out"):
        Task(changed, TABLE, Path(), silent).check()


def test_what_is_said_of_a_range_that_nobody_declared() -> None:
    table, tokens = (range_note(spec, tokens=spec is TOKENS) for spec in (TABLE, TOKENS))
    assert table is not None
    assert tokens is not None
    assert "each of the 3 features on its own (together -5 to 4000)" in table
    assert "values outside it are taken" in table
    assert "token ids, 0 to 39 in the training data, and gets them as they are" in tokens
    assert range_note(PICTURE, tokens=False) is None
    assert "each of the 2 channels" in str(range_note(SIGNAL, tokens=False))
    deep = DataSpec("deep", (4, 4, 1), "uint16", (3, 4000), ABC, declared=False)
    assert "measured on the training data: 3 to 4000. Inputs are" in str(
        range_note(deep, tokens=False)
    )


def test_token_ids_are_no_raw_values() -> None:
    model = build_model(config(model__name=named(floats_model)), TOKENS)
    assert raw_values_note(model, TOKENS) is None
    assert raw_values_note(build_model(config(model__name=named(plain_model)), TABLE), TABLE)


def test_probes_lie_in_each_features_own_range() -> None:
    probes = probe_inputs(TABLE.input_shape, TABLE.bounds, TABLE.dtype)
    lows, highs = TABLE.bounds
    assert ((probes >= lows) & (probes <= highs)).all()
    assert np.ptp(probes, axis=0)[0] > 1000
    assert probe_inputs(TOKENS.input_shape, TOKENS.bounds, TOKENS.dtype).dtype == np.int32
