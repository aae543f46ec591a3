"""A small trained classifier and its files, made once for all export tests."""

from functools import cache

import keras
import numpy as np

from ecavg_tf.config import DataConfig
from ecavg_tf.data.dataset import Dataset
from ecavg_tf.data.sources import load_data
from export.making.calibration import draw
from export.making.convert import Converter
from export.making.formats import Variant
from export.proving.gate import Reference
from export.reading.metadata import Description, attach


@cache
def digits() -> Dataset:
    return load_data(DataConfig(), 0)


@cache
def model() -> keras.Model:
    """A convolution, BatchNorm and a softmax, trained for a moment on digits."""
    keras.utils.set_random_seed(0)
    net = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Rescaling(1 / 16),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.BatchNormalization(momentum=0.5),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ],
        name="conv",
    )
    net.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    train = digits().train
    net.fit(train.inputs.astype("float32"), train.labels, epochs=6, batch_size=128, verbose=0)
    return net


@cache
def plain(variant: Variant) -> bytes:
    """The file without a description."""
    calibration = draw(digits().train, 100, 0, "training examples").inputs
    with Converter(model(), (8, 8, 1)) as converter:
        return converter.convert(variant, calibration)


def description(variant: Variant) -> Description:
    spec = digits().spec
    kind = "logits" if variant is Variant.INT8 else "probabilities"
    return Description(spec.classes, spec.dtype, spec.value_range, kind, {"edge": "edge-00"})


def described(variant: Variant) -> bytes:
    return attach(plain(variant), description(variant))


@cache
def reference() -> Reference:
    test = digits().test
    answers = model().predict(test.inputs.astype("float32"), verbose=0)
    return Reference(test.inputs, np.asarray(answers, np.float64), test.labels, "test examples")
