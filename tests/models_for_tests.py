"""What users would bring, named by tests as ``models_for_tests:function``."""

from collections.abc import Sequence

import keras
import numpy as np

from ecavg_tf.config import ServerConfig
from ecavg_tf.core.template import Array, Template
from ecavg_tf.core.update_file import Update
from ecavg_tf.data.dataset import DataSpec
from edge.policy import Candidate, Choice, Situation


def dropout_and_batchnorm(spec: DataSpec) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(spec.image_shape),
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
