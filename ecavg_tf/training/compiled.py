"""One compiled model for everybody who trains in a process, set back to new before each fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np

from ecavg_tf.config import FitConfig
from ecavg_tf.core.anatomy import Anatomy
from ecavg_tf.core.checkpoint import State
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.template import Array
from ecavg_tf.models.anatomy import anatomy_of
from ecavg_tf.models.batchnorm import Recalibrator

_PROBES = 8  # images of noise that tell which weight is the head's bias
SHIFT = 0.125  # 4 of 32 pixels, the usual pad-and-crop of CIFAR training


@dataclass(frozen=True)
class Compilation:
    """What a compiled graph depends on; trainers that agree on it share one.

    Attributes:
        optimizer: a Keras optimizer's name.
        weight_decay: decoupled weight decay; 0: none.
        augment: whether training images are flipped and shifted.
    """

    optimizer: str
    weight_decay: float
    augment: bool

    @classmethod
    def of(cls, settings: FitConfig) -> "Compilation":
        """What an edge's or the server's part of the config needs."""
        return cls(settings.optimizer, settings.weight_decay, settings.augment)


class CompiledModel:
    """A model compiled once; tracing a deep one takes up to half a minute.

    Args:
        model: an uncompiled, built model. What is compiled is this model, or, with
            augmentation, this model behind augmenting layers that have no weights.
        compilation: optimizer and augmentation.
        image_shape: (height, width, channels) of what the model takes.
        logits: whether the model gives logits.
        value_range: lowest and highest value of an image.
    """

    def __init__(
        self,
        model: keras.Model,
        compilation: Compilation,
        *,
        image_shape: tuple[int, int, int],
        logits: bool,
        value_range: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        self.model = model
        self.fitted = _augmented(model, image_shape) if compilation.augment else model
        optimizer = _optimizer(compilation)
        self.fitted.compile(
            optimizer,
            keras.losses.SparseCategoricalCrossentropy(from_logits=logits),
            metrics=["accuracy"],
        )
        optimizer.build(model.trainable_variables)
        self._fresh_optimizer = [variable.numpy() for variable in optimizer.variables]
        self.recalibrate = Recalibrator(model)
        self._logits = logits
        self._probes = np.random.default_rng(0).uniform(*value_range, (_PROBES, *image_shape))
        self._fresh_weights: list[Array] = model.get_weights()

    @cached_property
    def anatomy(self) -> Anatomy:
        """Where the model keeps its parts: a fact of its architecture.

        Found with the weights that it was built with, on noise: whatever was trained in
        the meantime, every process comes to the same answer.
        """
        held = self.model.get_weights()
        self.model.set_weights(self._fresh_weights)
        found = anatomy_of(self.model, self._probes.astype(np.float32), logits=self._logits)
        self.model.set_weights(held)
        return found

    def reset(self, weights: Sequence[Array], learning_rate: float) -> None:
        """Sets weights, and the optimizer as if it were new."""
        self.model.set_weights(weights)
        optimizer = self.fitted.optimizer
        for variable, value in zip(optimizer.variables, self._fresh_optimizer, strict=True):
            variable.assign(value)
        optimizer.learning_rate = learning_rate

    def state(self) -> State:
        """Everything that training has changed by now."""
        slots = tuple(np.asarray(variable) for variable in self.fitted.optimizer.variables)
        return State(tuple(self.model.get_weights()), slots, 0.0)

    def restore(self, state: State) -> None:
        """Goes back to what ``state`` gave."""
        self.model.set_weights(state.weights)
        for variable, value in zip(self.fitted.optimizer.variables, state.slots, strict=True):
            variable.assign(value)


def _augmented(model: keras.Model, image_shape: tuple[int, int, int]) -> keras.Model:
    """The model behind a random flip and shift, which act in training only.

    They stay outside, so neither recalibration, evaluation nor an export sees them.
    """
    return keras.Sequential(
        [
            keras.Input(image_shape),
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomTranslation(
                SHIFT, SHIFT, fill_mode="constant", interpolation="nearest"
            ),
            model,
        ]
    )


def _optimizer(compilation: Compilation) -> keras.optimizers.Optimizer:
    options: dict[str, float] = {}
    if compilation.weight_decay:
        options["weight_decay"] = compilation.weight_decay
    try:
        return keras.optimizers.get({"class_name": compilation.optimizer, "config": options})
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"optimizer {compilation.optimizer!r} is not one of Keras' "
            "(sgd, adam, adamw, rmsprop, adagrad, …)"
        ) from error
