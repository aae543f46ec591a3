"""Keras' optimizers by their names."""

from collections.abc import Sequence

import keras
import numpy as np

from ecavg_tf.config.checks import guess
from ecavg_tf.core.errors import ConfigError, brief

# Adafactor divides by the product of a row's and a column's mean square. With Keras' default,
# 1e-30, it is 0 in float32 where both had no gradient (a pixel that is always black, a unit that
# is off): 0 / 0. Adam's epsilon squared is 1e-14.
_OPTIONS: dict[str, dict[str, float]] = {"adafactor": {"epsilon_1": 1e-16}}


def make_optimizer(
    name: str, weight_decay: float, *, scaled: bool = False
) -> keras.optimizers.Optimizer:
    """An optimizer by its name, tried on a step of nothing.

    Args:
        name: a Keras optimizer's, such as ``adam``.
        weight_decay: decoupled weight decay; 0: the optimizer's own default.
        scaled: scales the loss, so that small gradients survive float16.

    Raises:
        ConfigError: there is none of that name, or none that works by its name alone.
    """
    options = dict(_OPTIONS.get(name.lower(), {}))
    if weight_decay:
        options["weight_decay"] = weight_decay
    kind = _kinds().get(name.lower())
    if kind is None:
        raise ConfigError(
            f"optimizer {name!r} is not one of Keras' (sgd, adam, adamw, rmsprop, adagrad, …)"
            f"{guess(name, sorted(_kinds()))}"
        )
    try:
        trial = kind(**options)
        weight = keras.Variable(np.ones((2, 2), np.float32))
        trial.build([weight])
        trial.learning_rate = 0.0
        trial.apply([keras.ops.zeros_like(weight)])
    except Exception as error:  # Keras raises many kinds
        with_decay = f" with weight_decay={weight_decay:g}" if weight_decay else ""
        raise ConfigError(
            f"optimizer {name!r}{with_decay} can't be made by its name alone "
            f"({type(error).__name__}: {brief(error)}); use one that can: sgd, adam, adamw, "
            "rmsprop, adagrad, …"
        ) from error
    optimizer = kind(**options)
    return keras.optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer


def _kinds() -> dict[str, type[keras.optimizers.Optimizer]]:
    """Keras' optimizers by their names in small letters."""
    return {
        name.lower(): kind
        for name, kind in vars(keras.optimizers).items()
        if isinstance(kind, type) and issubclass(kind, keras.optimizers.Optimizer)
    }


def build_optimizer(
    optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable], name: str
) -> None:
    """Makes the optimizer's variables for a model's.

    Raises:
        ConfigError: it can't train this model.
    """
    try:
        optimizer.build(variables)
    except Exception as error:  # Keras raises many kinds
        raise ConfigError(f"optimizer {name!r} can't train this model: {brief(error)}") from error
