"""Renaming channels leaves what a model computes as it is."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from nets_for_tests import depthwise_net

from ecavg_tf.config import Config
from ecavg_tf.core.permuting import Groups, all_renamed
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.models.builders import build_model
from ecavg_tf.models.channel_groups import channel_groups

SPEC = DataSpec("pictures", (32, 32, 3), "uint8", (0.0, 255.0), tuple("abcdefghij"))


def built(name: str) -> keras.Model:
    config = Config()
    config.model.name = name
    return build_model(config, SPEC, "test")


def shaken(model: keras.Model, seed: int = 0) -> None:
    """Weights in which no channel is like another, and a BatchNorm that does something."""
    rng = np.random.default_rng(seed)
    model.set_weights(
        [
            (array * rng.uniform(0.7, 1.3, array.shape) + rng.uniform(0, 0.02, array.shape)).astype(
                array.dtype
            )
            for array in model.get_weights()
        ]
    )


def check_same_outputs(model: keras.Model, shape: tuple[int, ...]) -> Groups:
    """Renames all channels at random, and compares outputs."""
    shaken(model)
    model.layers[-1].activation = keras.activations.linear  # a softmax hides differences
    groups, rng = channel_groups(model), np.random.default_rng(1)
    before = model.get_weights()
    inputs = rng.uniform(0, 16, (3, *shape)).astype(np.float32)
    expected = np.asarray(model(inputs, training=False))
    size = np.abs(expected).max()
    permutations = [rng.permutation(size) for size in groups.sizes]
    model.set_weights(all_renamed(before, groups, permutations))
    after = np.asarray(model(inputs, training=False))
    np.testing.assert_allclose(after / size, expected / size, atol=1e-4)
    # One axis that is left out would show.
    last = max(touch.position for touch in groups.touches)
    broken = model.get_weights()
    broken[last] = before[last]
    model.set_weights(broken)
    assert np.abs(np.asarray(model(inputs, training=False)) - expected).max() > 0.005 * size
    return groups


def test_the_mlp_has_its_hidden_layer() -> None:
    groups = check_same_outputs(built("mlp"), SPEC.input_shape)
    assert groups.sizes == (128,)
    found = {(touch.position, touch.axis) for touch in groups.touches}
    assert found == {(0, 1), (1, 0), (2, 0)}


def test_depthwise_batchnorm_a_sum_and_a_flatten() -> None:
    groups = check_same_outputs(depthwise_net(), (8, 8, 1))
    # The sum joins what two convolutions give; a pixel's channels come one after the other.
    assert groups.sizes == (8,)
    assert {touch.outer for touch in groups.touches} == {1, 36}


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet50"])
@pytest.mark.slow
def test_the_deep_nets(name: str) -> None:
    groups = check_same_outputs(built(name), SPEC.input_shape)
    renamed = {touch.position for touch in groups.touches}
    kernels = [at for at, weight in enumerate(built(name).weights) if len(weight.shape) > 1]
    assert renamed >= set(kernels)


def inner() -> keras.Model:
    x = keras.Input((6,))
    return keras.Model(x, keras.layers.Dense(5, "relu")(keras.layers.Dense(7, "tanh")(x)))


def nested() -> keras.Model:
    return keras.Sequential([keras.Input((6,)), inner(), keras.layers.Dense(3)])


def shared_layer() -> keras.Model:
    x, same = keras.Input((6,)), keras.layers.Dense(6)
    return keras.Model(x, keras.layers.Dense(2)(same(same(x))))


def unknown_layer() -> keras.Model:
    x = keras.Input((6,))
    hidden = keras.layers.PReLU()(keras.layers.Dense(5)(x))
    hidden = keras.layers.Dense(4, "relu")(hidden)
    return keras.Model(x, keras.layers.Dense(2)(hidden[:, ::-1]))


def concatenated() -> keras.Model:
    x = keras.Input((6,))
    both = keras.layers.Concatenate()([keras.layers.Dense(3)(x), keras.layers.Dense(4)(x)])
    return keras.Model(x, keras.layers.Dense(2)(keras.layers.Dense(5, "relu")(both)))


@pytest.mark.parametrize(
    ("make", "sizes"),
    [(nested, (7, 5)), (shared_layer, ()), (unknown_layer, ()), (concatenated, (5,))],
)
def test_what_is_not_known_keeps_its_names(
    make: Callable[[], keras.Model], sizes: tuple[int, ...]
) -> None:
    model = make()
    groups = channel_groups(model)
    assert groups.sizes == sizes
    if sizes:
        check_same_outputs(model, (6,))


def test_a_model_without_a_graph_has_no_groups() -> None:
    class Mine(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = keras.layers.Dense(4), keras.layers.Dense(2)

        def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
            return self.second(self.first(x))

    model = Mine()
    model(np.zeros((1, 6), np.float32))
    assert channel_groups(model) == Groups((), ())
