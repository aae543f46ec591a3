"""Re-estimating BatchNorm's moving statistics on given data.

Moving statistics with momentum 0.99 or 0.999 lag far behind the weights after a
short fit, and the mean of two models' statistics describes neither. Both are mended
by passing data through the model once and averaging the batch statistics
cumulatively (the "update_bn" of stochastic weight averaging, arXiv 1803.05407,
section 3.2).
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ecavg_tf.core.seeds import permutation
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Examples
from ecavg_tf.data.pipeline import batches
from ecavg_tf.forked import check_not_forked

BATCH = 128  # examples a step: their statistics are nearer to those of all, and it is faster


def batchnorm_layers(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """All BatchNorm layers that training updates, frozen ones left out, nested ones in."""
    return [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]


def moment_positions(model: keras.Model) -> list[tuple[int, int]]:
    """Where in ``model.weights`` each BatchNorm layer keeps (mean, variance)."""
    position = {id(variable): index for index, variable in enumerate(model.weights)}
    return [
        (position[id(layer.moving_mean)], position[id(layer.moving_variance)])
        for layer in batchnorm_layers(model)
    ]


def variance_positions(model: keras.Model) -> list[int]:
    """Where in ``model.weights`` BatchNorm layers keep a variance, frozen ones too."""
    position = {id(variable): index for index, variable in enumerate(model.weights)}
    return [
        position[id(layer.moving_variance)]
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]


class Recalibrator:
    """Re-estimates a model's BatchNorm statistics; traces the model once.

    Only BatchNorm layers run in training mode. Everything else (dropout, noise,
    augmentation) computes as in inference, so the statistics are those of the
    network that will be evaluated.

    Args:
        model: a built model; frozen BatchNorm layers keep their statistics.

    Attributes:
        layers: those whose statistics are re-estimated.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self.layers = batchnorm_layers(model)
        self._means = [tf.Variable(layer.moving_mean.value) for layer in self.layers]
        self._variances = [tf.Variable(layer.moving_variance.value) for layer in self.layers]
        self._seen = [tf.Variable(0.0) for _ in self.layers]
        self._forward_function = tf.function(self._forward)

    def __call__(
        self, dataset: tf.data.Dataset, on_batch: Callable[[int], None] | None = None
    ) -> None:
        """Passes the data once and assigns the statistics to the model.

        Args:
            dataset: batches whose first element is inputs.
            on_batch: called with the size of each batch.
        """
        if not self.layers:
            return
        for variable in (*self._means, *self._variances, *self._seen):
            variable.assign(tf.zeros_like(variable))
        # The dataset's own spec leaves the batch size open: a short batch retraces nothing.
        step = self._forward_function.get_concrete_function(dataset.element_spec[0])
        for inputs, *_ in dataset:
            step(inputs)
            if on_batch:
                on_batch(len(inputs))
        for layer, mean, variance in zip(self.layers, self._means, self._variances, strict=True):
            layer.moving_mean.assign(mean)
            layer.moving_variance.assign(variance)

    def _forward(self, inputs: tf.Tensor) -> None:
        with self._measuring():
            self._model(inputs, training=False)

    @contextlib.contextmanager
    def _measuring(self) -> Iterator[None]:
        """While it lasts, BatchNorm layers normalise by their batch and report to us."""
        momenta = [layer.momentum for layer in self.layers]
        try:
            for number, layer in enumerate(self.layers):
                # With momentum 0 the moving statistics become the batch's own.
                layer.momentum = 0.0
                layer.call = self._measured(number, layer.call)
            yield
        finally:
            for layer, momentum in zip(self.layers, momenta, strict=True):
                layer.momentum = momentum
                del layer.call  # uncovers the class' own method

    def _measured(self, number: int, call: Callable[..., Any]) -> Callable[..., Any]:
        layer = self.layers[number]

        def measured(inputs: tf.Tensor, training: bool | None = None, mask: Any = None) -> Any:
            del training
            # A statistic that is NaN stays NaN even under momentum 0.
            layer.moving_mean.assign(tf.zeros_like(layer.moving_mean.value))
            layer.moving_variance.assign(tf.ones_like(layer.moving_variance.value))
            outputs = call(inputs, training=True, mask=mask)
            size = tf.cast(tf.shape(inputs)[0], tf.float32)
            seen = self._seen[number].assign_add(size)
            for cumulative, latest in (
                (self._means[number], layer.moving_mean.value),
                (self._variances[number], layer.moving_variance.value),
            ):
                share = tf.cast(size / seen, cumulative.dtype)
                cumulative.assign_add((latest - cumulative) * share)
            return outputs

        return measured


def recalibrate_batchnorm(
    model: keras.Model, inputs: Array, *, batch_size: int = BATCH, seed: int = 0
) -> None:
    """Re-estimates a Keras model's BatchNorm statistics on ``inputs``, in place.

    Each layer's moving mean and variance become the example-weighted average of its
    batch means and batch variances over one shuffled pass. Layers that are frozen
    (``trainable=False``), and all weights but the statistics, stay as they are.

    Args:
        model: a built model.
        inputs: shape (n, height, width, channels), as the model takes them.
        batch_size: examples a batch; statistics are those of batches of this size.
        seed: seeds the order.

    Raises:
        ValueError: there is no example.
    """
    check_not_forked()
    if len(inputs) == 0:
        raise ValueError("BatchNorm can't be recalibrated on no examples; give at least one")
    examples = Examples(inputs, np.zeros(len(inputs), np.int64))
    order = permutation(len(inputs), seed, "recalibrate")
    Recalibrator(model)(batches(examples, [order], batch_size))
