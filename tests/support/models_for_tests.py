"""What users would bring, named by tests as ``models_for_tests:function``."""

from collections.abc import Sequence

import keras
import numpy as np

from ecavg_tf.config import ServerConfig
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array, Template
from ecavg_tf.data.dataset import DataSpec
from edge.policy import Candidate, Choice, Situation


def dropout_and_batchnorm(spec: DataSpec) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(spec.input_shape),
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(spec.num_classes, activation="softmax"),
        ]
    )


def median(
    updates: Sequence[Update], template: Template, base: Sequence[Array], config: ServerConfig
) -> list[Array]:
    del base, config
    return [
        np.median(np.stack([update[spec.key] for update in updates]), axis=0).astype(spec.dtype)
        for spec in template.weights
    ]


def too_few(
    updates: Sequence[Update], template: Template, base: Sequence[Array], config: ServerConfig
) -> list[Array]:
    del updates, template, config
    return [base[0]]


def keep_local(situation: Situation) -> Choice:
    assert situation.local is not None
    local = Candidate("local", situation.local)
    return Choice((local,), local, {"policy": "stubborn"})


class Undescribed(keras.Model):
    """A subclass that Keras can't describe: its constructor takes an argument."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        self.flatten = keras.layers.Flatten()
        self.hidden = keras.layers.Dense(8, activation="relu")
        self.norm = keras.layers.BatchNormalization()
        self.dropout = keras.layers.Dropout(0.2)
        self.head = keras.layers.Dense(spec.num_classes)

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        hidden = self.norm(self.hidden(self.flatten(inputs)), training=training)
        return self.head(self.dropout(hidden, training=training))


def subclassed_logits(spec: DataSpec) -> keras.Model:
    return Undescribed(spec)


def nested_and_shared(spec: DataSpec) -> keras.Model:
    inputs = keras.Input(spec.input_shape)
    conv = keras.layers.Conv2D(spec.input_shape[2], 1)
    inner = keras.Sequential(
        [keras.Input(spec.input_shape), conv, keras.layers.LayerNormalization()]
    )
    features = keras.layers.Flatten()(inner(conv(inputs)))
    return keras.Model(inputs, keras.layers.Dense(spec.num_classes, "softmax")(features))


def frozen_backbone(spec: DataSpec) -> keras.Model:
    backbone = keras.Sequential(
        [
            keras.Input(spec.input_shape),
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
        ]
    )
    backbone.trainable = False
    return keras.Sequential([backbone, keras.layers.Dense(spec.num_classes, "softmax")])


def bad_callback(round_number: int, who: str) -> keras.callbacks.Callback:
    raise RuntimeError(f"no callback\nfor {who} in round {round_number}")


def headless_bias(spec: DataSpec) -> keras.Model:
    head = keras.layers.Dense(spec.num_classes, "softmax", use_bias=False)
    return keras.Sequential([keras.Input(spec.input_shape), keras.layers.Flatten(), head])


def nothing(
    updates: Sequence[Update], template: Template, base: Sequence[Array], config: ServerConfig
) -> list[Array]:
    del updates, template, config
    return [np.zeros_like(array) for array in base]


def convolution(spec: DataSpec) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(spec.input_shape),
            keras.layers.Rescaling(1 / 16),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.BatchNormalization(momentum=0.5),
            keras.layers.Flatten(),
            keras.layers.Dense(spec.num_classes, activation="softmax"),
        ]
    )
