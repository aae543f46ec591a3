"""A ``.tflite`` file that trains: the Dense layers at a model's end, by hand-written gradients.

Gradients that TensorFlow writes itself need operators that no runtime from pip has (those
of convolutions, pooling, BatchNorm, ReLU and the sparse cross-entropy). Dense layers under a
softmax need matrix products alone.

LiteRT.js, the runtime of browsers, asks for two more things. It runs no file whose batch is open,
so the batch is fixed: in a smaller one rows are missing, and a row whose ``y`` is all zero counts
for nothing. And it takes an output that is a variable as it stands for a constant, without a word,
so such outputs are multiplied by ``one``, an input that is 1.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from ecavg_tf.config import Format
from ecavg_tf.core.bundles.training_bundle import BATCH, OptimizerSpec
from ecavg_tf.core.errors import ExportError
from ecavg_tf.models.keras_words import explained
from export.making.converting_process import ConversionError, convert_saved
from export.making.formats import Variant
from export.making.precision import check_precision
from export.making.tracing import layers_of, numbered, quiet_conversion
from export.making.trained_layers import input_of, trained_layers
from export.making.translation import Layer, translated


class TrainableModule(tf.Module):  # type: ignore[misc]
    """Forward, backward and the optimizer's step of the trained layers, as signatures.

    Args:
        model: the Keras model.
        layers: its trained layers, first to last.
        optimizer: how to train.
        batch: rows of every batch.
    """

    def __init__(
        self,
        model: keras.Model,
        layers: Sequence[keras.layers.Dense],
        optimizer: OptimizerSpec,
        batch: int,
    ) -> None:
        super().__init__()
        self._batch = batch
        self._relu = [layer.activation is keras.activations.relu for layer in layers]
        self._biased = [layer.use_bias for layer in layers]
        self._optimizer = optimizer
        values = [value.numpy() for layer in layers for value in layer.weights]
        self.weights = [tf.Variable(value) for value in values]
        self.slots = [
            tf.Variable(np.zeros_like(value)) for _ in range(optimizer.slots) for value in values
        ]
        self.step = tf.Variable(np.float32(0))
        features = input_of(model, layers[0])
        self._features = keras.Model(model.inputs, features)
        self.feature_shape = tuple(int(size) for size in features.shape[1:])
        self.input_shape = tuple(int(size) for size in model.input_shape[1:])
        self._one_output = int(model.output_shape[-1]) == 1
        self.num_classes = 2 if self._one_output else int(model.output_shape[-1])

    @property
    def frozen_layers(self) -> bool:
        """Whether what comes before the trained layers has weights."""
        return bool(self._features.weights)

    @property
    def feature_layers(self) -> tuple[Layer, ...]:
        """The layers that come before the trained ones, by which errors name them."""
        return layers_of(self._features)

    def signatures(self) -> dict[str, Any]:
        """Concrete functions by the names they have in the file."""
        spec = tf.TensorSpec
        state = {name: spec(v.shape, name=name) for name, v in self._state().items()}
        features, one = (self._batch, *self.feature_shape), spec((), name="one")

        def made(function: Any, **arguments: Any) -> Any:
            return tf.function(function, autograph=False).get_concrete_function(**arguments)

        return {
            "features": self._frozen_features(),
            "train": made(
                self._train,
                x=spec(features, name="x"),
                y=spec((self._batch, self.num_classes), name="y"),
                learning_rate=spec((), name="learning_rate"),
            ),
            "infer": made(self._infer, x=spec(features, name="x")),
            "get_weights": made(self._get, one=one),
            "set_weights": made(self._set, one=one, **state),
        }

    def _state(self) -> dict[str, tf.Variable]:
        return {
            **{f"weight_{number}": v for number, v in enumerate(self.weights)},
            **{f"slot_{number}": v for number, v in enumerate(self.slots)},
            "step": self.step,
        }

    def _frozen_features(self) -> Any:
        """The layers before, with their weights as constants: the converter folds BatchNorm."""
        spec = tf.TensorSpec((self._batch, *self.input_shape), name="image")

        def features(image: tf.Tensor) -> tf.Tensor:
            return tf.cast(self._features(image, training=False), tf.float32)

        with numbered(self._features):
            traced = tf.function(features, autograph=False).get_concrete_function(spec)
        frozen = convert_variables_to_constants_v2(traced)

        def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
            (answer,) = frozen(image)
            return {"features": tf.reshape(answer, (self._batch, *self.feature_shape))}

        return tf.function(serve, autograph=False).get_concrete_function(image=spec)

    def _get(self, one: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: variable * one for name, variable in self._state().items()}

    def _set(self, one: tf.Tensor, **values: tf.Tensor) -> dict[str, tf.Tensor]:
        for name, variable in self._state().items():
            variable.assign(values[name])
        return {"step": self.step * one}

    def _forward(self, x: tf.Tensor) -> list[tf.Tensor]:
        """Inputs of every trained layer, and the logits."""
        values, weights = [x], list(self.weights)
        for relu, biased in zip(self._relu, self._biased, strict=True):
            value = tf.matmul(values[-1], weights.pop(0))
            if biased:
                value = value + weights.pop(0)
            values.append(tf.nn.relu(value) if relu else value)
        if self._one_output:  # the logits of two classes, with the same cross-entropy
            values[-1] = tf.concat([tf.zeros_like(values[-1]), values[-1]], axis=1)
        return values

    def _infer(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": tf.nn.softmax(self._forward(x)[-1])}

    def _train(self, x: tf.Tensor, y: tf.Tensor, learning_rate: tf.Tensor) -> dict[str, tf.Tensor]:
        """One step on the rows of a batch that have a label; gives their mean loss before it."""
        *inputs, logits = self._forward(x)
        count = tf.reduce_sum(y)
        loss = -tf.reduce_sum(y * tf.nn.log_softmax(logits)) / count
        self._apply(self._gradients(inputs, logits, y, count), learning_rate)
        return {"loss": loss}

    def _gradients(
        self, inputs: list[tf.Tensor], logits: tf.Tensor, y: tf.Tensor, count: tf.Tensor
    ) -> list[tf.Tensor]:
        """Of the mean cross-entropy, in the order of ``weights``."""
        gradients: list[tf.Tensor] = []
        position = len(self.weights)
        labelled = tf.reduce_sum(y, axis=1, keepdims=True)  # 1, or 0 of a missing row
        arriving = (tf.nn.softmax(logits) * labelled - y) / count
        if self._one_output:
            arriving = arriving[:, 1:]
        for layer in reversed(range(len(inputs))):
            position -= 1 + self._biased[layer]
            own = [tf.matmul(inputs[layer], arriving, transpose_a=True)]
            if self._biased[layer]:
                own.append(tf.reduce_sum(arriving, axis=0))
            gradients = own + gradients
            if layer:
                arriving = tf.matmul(arriving, self.weights[position], transpose_b=True)
                if self._relu[layer - 1]:
                    arriving = arriving * tf.cast(inputs[layer] > 0, tf.float32)
        return gradients

    def _apply(self, gradients: list[tf.Tensor], rate: tf.Tensor) -> None:
        """The optimizer's step, in the order of operations that Keras has."""
        step = self.step + 1.0
        self.step.assign(step)
        settings, count = self._optimizer, len(self.weights)
        if settings.name == "adam":
            rate = rate * tf.sqrt(1.0 - tf.pow(settings.beta_2, step))
            rate = rate / (1.0 - tf.pow(settings.beta_1, step))
        for number, (weight, gradient) in enumerate(zip(self.weights, gradients, strict=True)):
            if settings.name == "adam":
                first, second = self.slots[number], self.slots[count + number]
                mean = first + (gradient - first) * (1.0 - settings.beta_1)
                square = second + (tf.square(gradient) - second) * (1.0 - settings.beta_2)
                first.assign(mean)
                second.assign(square)
                weight.assign(weight - mean * rate / (tf.sqrt(square) + settings.epsilon))
            elif settings.momentum:
                speed = self.slots[number] * settings.momentum - gradient * rate
                self.slots[number].assign(speed)
                weight.assign(weight + speed)
            else:
                weight.assign(weight - gradient * rate)


def convert_trainable(module: TrainableModule) -> bytes:
    """The file's bytes, with builtin operators only.

    Raises:
        ExportError: the layers before need others.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            with quiet_conversion():
                signatures: Mapping[str, Any] = module.signatures()
                tf.saved_model.save(module, folder, signatures=signatures)
        except Exception as error:  # Keras and TensorFlow raise many kinds
            raise ExportError(
                f"the training file can't be traced: {type(error).__name__}: {explained(error)}"
            ) from error
        try:
            return convert_saved(Path(folder), Format.FLOAT32, resources=True)
        except ConversionError as error:
            layers = module.feature_layers
            told = translated(error, Variant.MASTER, layers, ())
            raise ExportError(f"the training file can't be made: {told}") from error


def make_trainable(
    model: keras.Model, trainable: str, optimizer: OptimizerSpec, batch: int = BATCH
) -> tuple[TrainableModule, list[keras.layers.Dense]]:
    """The module of a model, and the layers that it trains.

    Args:
        model: the Keras model.
        trainable: ``head`` or ``dense``.
        optimizer: how to train.
        batch: rows of every batch.

    Raises:
        ExportError: a device can't train the model.
    """
    check_precision(model)
    layers = trained_layers(model, trainable)
    return TrainableModule(model, layers, optimizer, batch), layers
