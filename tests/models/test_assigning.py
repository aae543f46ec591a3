"""Setting weights faster than Keras does, to the same values and with Keras' own errors."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest

from ecavg_tf.core.template import Array
from ecavg_tf.models.assigning import assign, set_weights


def net() -> keras.Model:
    layers = [
        keras.layers.Conv2D(3, 3),
        keras.layers.BatchNormalization(),
        keras.layers.Flatten(),
        keras.layers.Dense(2, dtype="float16"),
    ]
    return keras.Sequential([keras.Input((6, 6, 1)), *layers])


def some(model: keras.Model, seed: int = 0) -> list[Array]:
    draw = np.random.default_rng(seed)
    return [draw.normal(size=each.shape).astype(each.dtype) for each in model.get_weights()]


def test_every_variable_gets_its_value_and_arrays_survive() -> None:
    model = net()
    weights = some(model)
    before = [each.copy() for each in weights]
    set_weights(model, weights)
    for found, given, kept in zip(model.get_weights(), weights, before, strict=True):
        assert found.dtype == given.dtype
        np.testing.assert_array_equal(found, kept)
        np.testing.assert_array_equal(given, kept)
    weights[0][...] = 7  # the model has values of its own
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_strange_memory_and_other_types_are_taken_as_keras_takes_them() -> None:
    model, other = net(), net()
    weights = [np.asfortranarray(each)[::1].astype(np.float64) for each in some(model)]
    set_weights(model, weights)
    other.set_weights(weights)
    for found, expected in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    turned = some(model, 1)
    turned[0] = np.ascontiguousarray(turned[0].T).T
    set_weights(model, turned)
    np.testing.assert_array_equal(model.get_weights()[0], turned[0])


def test_what_does_not_fit_is_refused_as_keras_refuses_it() -> None:
    model = net()
    weights = some(model)
    with pytest.raises(ValueError, match="weight list of length"):
        set_weights(model, weights[1:])
    weights[0] = weights[0][:1]
    with pytest.raises(ValueError, match="not compatible with provided weight shape"):
        set_weights(model, weights)


def test_a_model_that_sets_its_weights_itself_does() -> None:
    seen: list[Any] = []

    class Own(keras.Sequential):  # type: ignore[misc]
        def set_weights(self, weights: Sequence[Array]) -> None:
            seen.append(len(weights))

    model = Own([keras.Input((2,)), keras.layers.Dense(1)])
    set_weights(model, model.get_weights())
    assert seen == [2]


def test_variables_of_an_optimizer_get_theirs() -> None:
    optimizer = keras.optimizers.Adam()
    optimizer.build(net().trainable_variables)
    values = [np.asarray(each.numpy() * 0 + at, each.dtype) for at, each in
              enumerate(optimizer.variables)]  # fmt: skip
    assign(optimizer.variables, values)
    for found, expected in zip(optimizer.variables, values, strict=True):
        np.testing.assert_array_equal(found.numpy(), expected)
