"""Models by name. A new one is a function here and an entry in ``MODELS``."""

from collections.abc import Callable

import keras

from ecavg_tf.config import Config, ModelConfig, Output, one_of
from ecavg_tf.core.seeds import derive_seed
from ecavg_tf.core.template import Array, Role, Template, WeightSpec, unique_keys
from ecavg_tf.data.dataset import DataSpec


def rescaling(spec: DataSpec) -> keras.layers.Layer:
    """A layer from the data set's value range to [0, 1], so that devices feed raw values."""
    low, high = spec.value_range
    return keras.layers.Rescaling(1.0 / (high - low), offset=-low / (high - low))


def mlp(spec: DataSpec, config: ModelConfig) -> keras.Model:
    """One hidden ReLU layer and a softmax: the ECAvg paper's MNIST network."""
    return keras.Sequential(
        [
            keras.Input(spec.image_shape),
            rescaling(spec),
            keras.layers.Flatten(),
            keras.layers.Dense(config.hidden_units, activation="relu"),
            keras.layers.Dense(spec.num_classes, activation="softmax"),
        ],
        name="mlp",
    )


MODELS: dict[str, Callable[[DataSpec, ModelConfig], keras.Model]] = {"mlp": mlp}


def build_model(config: Config, spec: DataSpec, *place: str | int) -> keras.Model:
    """Builds the configured model with weights fixed by the seed and ``place``.

    Keras' global seeds (and so Python's and numpy's) are set on the way.

    Args:
        config: the run's config.
        spec: the data set it is for.
        *place: who it is for, for example ``"edge-00"`` with independent inits.

    Raises:
        ConfigError: there is no model of that name.
    """
    one_of("model.name", config.model.name, tuple(MODELS))
    keras.utils.set_random_seed(derive_seed(config.seed, "init", *place))
    return MODELS[config.model.name](spec, config.model)


def initial_weights(config: Config, spec: DataSpec, *place: str | int) -> list[Array]:
    """Fresh weights, fixed by the seed and ``place``, in ``get_weights()`` order."""
    weights: list[Array] = build_model(config, spec, *place).get_weights()
    return weights


def template_of(model: keras.Model) -> Template:
    """The template of a built model."""
    trainable = {id(variable) for variable in model.trainable_weights}
    keys = unique_keys([variable.path for variable in model.weights])
    return Template(
        tuple(
            WeightSpec(key, tuple(variable.shape), variable.dtype, _role(variable, trainable))
            for key, variable in zip(keys, model.weights, strict=True)
        )
    )


def _role(variable: keras.Variable, trainable: set[int]) -> Role:
    if not variable.dtype.startswith("float"):
        return Role.STATE
    return Role.TRAINABLE if id(variable) in trainable else Role.STATISTIC


def gives_logits(config: ModelConfig) -> bool:
    """Whether the model's last layer gives logits."""
    return config.output is Output.LOGITS
