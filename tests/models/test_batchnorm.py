import keras
import numpy as np
import pytest

import ecavg_tf
from ecavg_tf.data.dataset import Examples
from ecavg_tf.data.pipeline import batches
from ecavg_tf.models.batchnorm import (
    Recalibrator,
    batchnorm_layers,
    moment_positions,
    variance_positions,
)

RNG = np.random.default_rng(0)


def normalised(*layers: keras.layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((2, 2, 3)), *layers])


def inputs(n: int) -> np.ndarray:
    return RNG.normal(3.0, 2.0, (n, 2, 2, 3)).astype(np.float32)


def test_one_batch_gives_the_moments_of_the_data() -> None:
    model = normalised(keras.layers.BatchNormalization(momentum=0.999))
    x = inputs(50)
    ecavg_tf.recalibrate_batchnorm(model, x, batch_size=50)
    layer = model.layers[0]
    np.testing.assert_allclose(layer.moving_mean, x.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, x.var((0, 1, 2)), rtol=1e-4)


def test_batches_are_averaged_by_their_size() -> None:
    # Order is fixed by feeding batches by hand: values 0 (two examples) and 3 (one example).
    model = keras.Sequential([keras.Input((1, 1, 1)), keras.layers.BatchNormalization()])
    x = np.array([0.0, 0.0, 3.0], np.float32).reshape(3, 1, 1, 1)
    data = batches(Examples(x, np.zeros(3, np.int64)), [np.arange(3)], 2)
    Recalibrator(model)(data)
    layer = model.layers[0]
    np.testing.assert_allclose(layer.moving_mean, [1.0], rtol=1e-6)  # (2·0 + 1·3) / 3
    np.testing.assert_allclose(layer.moving_variance, [0.0], atol=1e-7)


def test_only_statistics_change_and_the_layer_is_as_before() -> None:
    layer = keras.layers.BatchNormalization(momentum=0.9)
    model = normalised(keras.layers.Conv2D(4, 1), layer, keras.layers.Dense(2))
    before = model.get_weights()
    positions = {place for pair in moment_positions(model) for place in pair}
    ecavg_tf.recalibrate_batchnorm(model, inputs(20), batch_size=8)
    for place, (old, new) in enumerate(zip(before, model.get_weights(), strict=True)):
        assert np.array_equal(old, new) == (place not in positions)
    assert layer.momentum == 0.9
    assert "call" not in vars(layer)


def test_variances_of_frozen_layers_are_variances_too() -> None:
    inner = normalised(keras.layers.BatchNormalization(trainable=False))
    model = normalised(inner, keras.layers.BatchNormalization(scale=False))
    names = [model.weights[at].path.rpartition("/")[2] for at in variance_positions(model)]
    assert names == ["moving_variance", "moving_variance"]
    assert len(moment_positions(model)) == 1


def test_what_is_random_sleeps() -> None:
    layer = keras.layers.BatchNormalization()
    model = normalised(keras.layers.Dropout(0.9), keras.layers.GaussianNoise(1.0), layer)
    x = inputs(64)
    ecavg_tf.recalibrate_batchnorm(model, x, batch_size=64)
    np.testing.assert_allclose(layer.moving_mean, x.mean((0, 1, 2)), rtol=1e-5)


def test_frozen_layers_keep_their_statistics() -> None:
    layer = keras.layers.BatchNormalization(trainable=False)
    model = normalised(layer)
    ecavg_tf.recalibrate_batchnorm(model, inputs(10))
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(3))
    assert batchnorm_layers(model) == []


def test_a_shared_layer_sees_all_its_inputs() -> None:
    shared = keras.layers.BatchNormalization()
    image = keras.Input((2, 2, 3))
    outputs = shared(image) + shared(image + 10.0)
    model = keras.Model(image, outputs)
    x = inputs(32)
    ecavg_tf.recalibrate_batchnorm(model, x, batch_size=32)
    np.testing.assert_allclose(shared.moving_mean, x.mean((0, 1, 2)) + 5.0, rtol=1e-5)


def test_nested_models_are_reached() -> None:
    layer = keras.layers.BatchNormalization()
    inner = keras.Sequential([keras.Input((2, 2, 3)), layer])
    model = normalised(inner, keras.layers.Flatten())
    x = inputs(32)
    ecavg_tf.recalibrate_batchnorm(model, x, batch_size=32)
    np.testing.assert_allclose(layer.moving_mean, x.mean((0, 1, 2)), rtol=1e-5)


def test_statistics_that_are_nan_are_mended() -> None:
    layer = keras.layers.BatchNormalization()
    model = normalised(layer)
    layer.moving_mean.assign(np.full(3, np.nan))
    layer.moving_variance.assign(np.full(3, np.inf))
    ecavg_tf.recalibrate_batchnorm(model, inputs(16))
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_it_can_be_called_twice_with_the_same_result() -> None:
    model = normalised(keras.layers.Conv2D(4, 1), keras.layers.BatchNormalization())
    x = inputs(40)
    ecavg_tf.recalibrate_batchnorm(model, x, batch_size=16, seed=3)
    first = model.get_weights()
    ecavg_tf.recalibrate_batchnorm(model, x, batch_size=16, seed=3)
    assert all(map(np.array_equal, first, model.get_weights()))


def test_without_images_or_without_batchnorm() -> None:
    with pytest.raises(ValueError, match="no examples"):
        ecavg_tf.recalibrate_batchnorm(normalised(), inputs(0))
    model = normalised(keras.layers.Dense(2))
    before = model.get_weights()
    ecavg_tf.recalibrate_batchnorm(model, inputs(4))
    assert all(map(np.array_equal, before, model.get_weights()))
