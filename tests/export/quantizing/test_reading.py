"""A net computes what its Keras model does."""

import keras
import numpy as np
import pytest
from nets_for_tests import depthwise, held_out

from export.quantizing.reading import NotReadable, read_net


def scrambled(model: keras.Model) -> keras.Model:
    """Weights and statistics of all kinds, so that a forgotten one shows."""
    generator = np.random.default_rng(0)
    model.set_weights([generator.uniform(0.2, 1.0, w.shape) for w in model.get_weights()])
    return model


def mixed() -> keras.Model:
    """BatchNorm that can't be folded, a nested model, branches."""
    layers = keras.layers
    inner_in = keras.Input((4, 4, 6))
    inner = keras.Model(inner_in, layers.SeparableConv2D(6, 3, padding="same")(inner_in))
    inputs = keras.Input((8, 8, 2))
    x = layers.MaxPooling2D()(layers.BatchNormalization()(inputs[..., ::-1]))
    x = layers.concatenate([layers.Conv2D(4, 1, activation="relu")(x), x])
    x = layers.Add()([inner(x), layers.BatchNormalization()(x)])
    x = layers.GlobalAveragePooling2D()(layers.Dropout(0.5)(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax", use_bias=True)(x))


def test_it_computes_what_the_model_does() -> None:
    few = held_out()[:20]
    net = read_net(depthwise(), (8, 8, 1))
    np.testing.assert_allclose(
        np.asarray(net.run(few)[-1]), np.asarray(depthwise()(few)), atol=1e-5
    )
    assert sum(operation.kind in ("scale", "shift") for operation in net.operations) == 0


def test_batchnorm_that_can_not_be_folded_and_models_inside_models() -> None:
    model = scrambled(mixed())
    few = np.random.default_rng(1).uniform(-1, 1, (5, 8, 8, 2)).astype("float32")
    net = read_net(model, (8, 8, 2))
    np.testing.assert_allclose(
        np.asarray(net.run(few)[-1]), np.asarray(model(few, training=False)), atol=1e-5
    )


def test_folding_leaves_the_model_as_it_was() -> None:
    before = [array.copy() for array in depthwise().get_weights()]
    read_net(depthwise(), (8, 8, 1))
    for old, new in zip(before, depthwise().get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (keras.layers.Conv2D(4, 1, activation="swish", name="odd"), "'odd' has the activation"),
        (keras.layers.Conv2D(4, 1, groups=2, name="odd"), "'odd' .* has groups"),
        (keras.layers.LayerNormalization(name="odd"), r"'odd' \(LayerNormalization\)"),
    ],
)
def test_a_layer_that_is_not_known_is_named(layer: keras.layers.Layer, said: str) -> None:
    model = keras.Sequential([keras.Input((4, 4, 2)), layer, keras.layers.Flatten()])
    with pytest.raises(NotReadable, match=said):
        read_net(model, (4, 4, 2))
