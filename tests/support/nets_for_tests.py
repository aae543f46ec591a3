"""A small net of what MobileNets are made of, trained on digits, once for all tests."""

from functools import cache

import keras
import numpy as np
from exports_for_tests import digits

from ecavg_tf.core.template import Array
from export.making.calibration import draw


def depthwise_net() -> keras.Model:
    """Convolutions with BatchNorm, depthwise ones too, and a sum."""
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Rescaling(1 / 8, offset=-1)(inputs)
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = first = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization(momentum=0.5)(x))
    x = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization(momentum=0.5)(x))
    x = keras.layers.Conv2D(8, 1, use_bias=False)(x)
    x = keras.layers.Add()([first, keras.layers.BatchNormalization(momentum=0.5)(x)])
    x = keras.layers.Flatten()(keras.layers.ZeroPadding2D()(x))
    return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))


@cache
def depthwise() -> keras.Model:
    """Such a net, trained."""
    keras.utils.set_random_seed(0)
    net = depthwise_net()
    net.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    train = digits().train
    net.fit(train.inputs.astype("float32"), train.labels, epochs=5, batch_size=64, verbose=0)
    return net


def calibration() -> Array:
    return draw(digits().train, 100, 0, "training examples").inputs.astype("float32")


def held_out() -> Array:
    return np.asarray(digits().test.inputs, np.float32)
