"""The head's bias is found by trying, on whatever model a user brings."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from models_for_tests import frozen_backbone, nested_and_shared, subclassed_logits

from ecavg_tf.core.anatomy import Anatomy
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.models.anatomy import anatomy_of

SPEC = DataSpec("tiny", (6, 6, 1), "uint8", (0.0, 16.0), ("a", "b", "c", "d"))
IMAGES = np.random.default_rng(0).uniform(0, 1, (8, 6, 6, 1)).astype("float32")
Layers = list[keras.layers.Layer]


def anatomy(model: keras.Model, *, logits: bool = False) -> Anatomy:
    model(IMAGES[:1])  # builds a subclassed one
    before = model.get_weights()
    found = anatomy_of(model, IMAGES, logits=logits)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    return found


def stack(*layers: keras.layers.Layer) -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input(SPEC.input_shape), keras.layers.Flatten(), *layers])


def test_a_dense_softmax_head() -> None:
    dense = keras.layers.Dense
    found = anatomy(stack(dense(4, "relu"), dense(4, "softmax")))
    assert found == Anatomy(head=(2, 3), head_bias=3, batchnorm=())  # not the hidden layer's


def test_logits_with_a_softmax_layer_behind_and_without() -> None:
    dense = keras.layers.Dense
    assert anatomy(stack(dense(4), keras.layers.Softmax())).head_bias == 1
    assert anatomy(stack(dense(4)), logits=True).head_bias == 1


def no_bias() -> Layers:
    return [keras.layers.Dense(4, "relu"), keras.layers.Dense(4, "softmax", use_bias=False)]


def tempered() -> Layers:
    return [keras.layers.Dense(4), keras.layers.Rescaling(0.5), keras.layers.Softmax()]


def gated() -> Layers:
    return [keras.layers.Dense(4, "tanh"), keras.layers.Softmax()]


def saturated() -> Layers:
    return [
        keras.layers.Dense(4, "relu"),
        keras.layers.Dense(4, bias_initializer=keras.initializers.Constant(1.0)),
        keras.layers.Rescaling(1e6),
        keras.layers.Softmax(),
    ]


@pytest.mark.parametrize("layers", [no_bias, tempered, gated, saturated])
def test_what_does_not_add_to_the_logits_is_no_head_bias(layers: Callable[[], Layers]) -> None:
    found = anatomy(stack(*layers()))
    assert found.head_bias is None
    assert found.head  # the last layer with weights


def test_batchnorm_that_trains_and_none_that_is_frozen() -> None:
    dense = keras.layers.Dense
    norm = keras.layers.BatchNormalization
    assert anatomy(stack(dense(3), norm(), dense(4, "softmax"))).batchnorm == (2, 3, 4, 5)
    frozen = anatomy(frozen_backbone(SPEC))
    assert frozen.batchnorm == ()
    assert frozen.head_bias is not None


def test_a_subclassed_model() -> None:
    model = subclassed_logits(SPEC)
    found = anatomy(model, logits=True)
    assert found.head_bias is not None
    assert model.weights[found.head_bias] is model.head.bias
    assert len(found.head) == 2
    assert len(found.batchnorm) == 4


def test_a_nested_model_with_a_shared_layer() -> None:
    found = anatomy(nested_and_shared(SPEC))
    assert found.head_bias is not None
    assert len(found.head) == 2
