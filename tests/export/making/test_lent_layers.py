"""Heads of models that share layers with others; mixed precision goes to files as float32."""

import keras
import numpy as np
import pytest

import export
from ecavg_tf.core.bundles.training_bundle import OptimizerSpec
from export.making.head import head_of
from export.making.trainable import make_trainable
from export.making.trained_layers import trained_layers

LAYERS = keras.layers


def first_model() -> keras.Sequential:
    layers = [LAYERS.Flatten(), LAYERS.Dense(5, "relu"), LAYERS.Dense(3, "softmax")]
    return keras.Sequential([keras.Input((4, 4, 1)), *layers])


def test_a_head_that_another_model_has_too_is_a_head() -> None:
    one = first_model()
    other = keras.Sequential([keras.Input((4, 4, 1)), *one.layers])
    view = keras.Model(one.inputs, one.outputs)
    for model in (one, other, view):
        assert head_of(model) is one.layers[-1]
        assert trained_layers(model, "dense") == list(one.layers[1:])
    learner, _ = make_trainable(other, "dense", OptimizerSpec("sgd"))
    assert learner.feature_shape == (16,)
    inputs = keras.Input((4, 4, 1))
    assert head_of(keras.Model(inputs, one(inputs))) is one.layers[-1]


def test_a_layer_that_is_called_twice_in_one_model_is_no_head() -> None:
    inputs = keras.Input((4,))
    head = LAYERS.Dense(4)
    assert head_of(keras.Model(inputs, head(head(inputs)))) is None
    assert head_of(keras.Sequential([LAYERS.Dense(4)])) is None


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_is_exported_as_float32(policy: str) -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            LAYERS.Conv2D(3, 3, activation="relu", dtype=policy),
            LAYERS.BatchNormalization(dtype=policy),
            LAYERS.Flatten(),
            LAYERS.Dense(4, "softmax", dtype=policy),
        ]
    )
    inputs = np.random.default_rng(0).uniform(size=(40, 6, 6, 1)).astype("float32")
    before = model.predict(inputs, verbose=0)
    (dynamic, single) = export.to_tflite(model, inputs, "float32").values()
    assert {dynamic.input.dtype, single.input.dtype} == {"float32"}
    assert model.layers[0].compute_dtype == policy.removeprefix("mixed_")
    np.testing.assert_array_equal(model.predict(inputs, verbose=0), before)
