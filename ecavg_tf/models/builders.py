"""Models by name, or by a user's own function. A new one is an entry in ``MODELS``."""

import threading
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from ecavg_tf.config import Config, ModelConfig, Output, Rescale, Trains
from ecavg_tf.core.errors import ConfigError, ModelError
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.seeds import derive_seed
from ecavg_tf.core.template import Array, Role, Template, WeightSpec, unique_keys
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.forked import check_not_forked
from ecavg_tf.keras_settings import check_keras_settings
from ecavg_tf.models.inputs import two_inputs
from ecavg_tf.models.keras_words import explained
from ecavg_tf.models.output_kind import check_output
from ecavg_tf.models.rescaling import meets_raw_values, rescaled, rescaling
from ecavg_tf.models.signals import conv1d
from ecavg_tf.models.state import follow_weights
from ecavg_tf.models.users_function import call_users_function, check_new
from ecavg_tf.plugins import check_name, is_plugin, load_function

SMALLEST_SIDE = 32  # what keras.applications accept
# Python's, numpy's and TensorFlow's own seeds belong to the process: one thread at a time draws.
_SEEDED = threading.RLock()
_CAFFE_MEAN = [-103.939, -116.779, -123.68]  # ImageNet's, blue first: ResNet50's own preprocessing


def mlp(spec: DataSpec, config: ModelConfig) -> keras.Model:
    """One hidden ReLU layer and a softmax: the ECAvg paper's MNIST network."""
    return keras.Sequential(
        [
            keras.Input(spec.input_shape),
            rescaling(spec),
            keras.layers.Flatten(),
            keras.layers.Dense(config.hidden_units, activation="relu"),
            keras.layers.Dense(spec.num_classes, activation="softmax"),
        ],
        name="mlp",
    )


def mobilenet_v2(spec: DataSpec, config: ModelConfig) -> keras.Model:
    """Keras Applications' MobileNetV2 (arXiv 1801.04381), global pooling and a softmax."""
    inputs = _pictures(spec, config)
    features = _padded(rescaling(spec, -1.0, 1.0)(inputs), spec)
    return _application(keras.applications.MobileNetV2, inputs, features, spec, config)


def resnet50(spec: DataSpec, config: ModelConfig) -> keras.Model:
    """Keras Applications' ResNet50 (arXiv 1512.03385), global pooling and a softmax."""
    inputs = _pictures(spec, config)
    if _pretrained(config) is None:
        features = rescaling(spec)(inputs)
    else:
        features = rescaling(spec, 0.0, 255.0)(inputs)[..., ::-1]
        features = keras.layers.Rescaling(1.0, offset=_CAFFE_MEAN)(features)
    return _application(keras.applications.ResNet50, inputs, _padded(features, spec), spec, config)


Builder = Callable[[DataSpec, ModelConfig], keras.Model]
PRETRAINED: dict[str, Builder] = {"mobilenet_v2": mobilenet_v2, "resnet50": resnet50}
MODELS: dict[str, Builder] = {"mlp": mlp, "conv1d": conv1d, **PRETRAINED}


def _pictures(spec: DataSpec, config: ModelConfig) -> keras.KerasTensor:
    """The input of a model that is for pictures alone."""
    if len(spec.input_shape) != 3:
        raise ModelError(
            f"model {config.name} takes pictures of shape (height, width, channels), "
            f"{spec.name!r} has inputs of shape {spec.input_shape}; use model.name=mlp, or conv1d "
            "for signals"
        )
    return keras.Input(spec.input_shape)


def _padded(features: keras.KerasTensor, spec: DataSpec) -> keras.KerasTensor:
    """Zero-pads images that are smaller than keras.applications accept."""
    missing = [max(0, SMALLEST_SIDE - side) for side in spec.input_shape[:2]]
    if not any(missing):
        return features
    padding = tuple((side // 2, side - side // 2) for side in missing)
    return keras.layers.ZeroPadding2D(padding)(features)


def _pretrained(config: ModelConfig) -> str | None:
    """What to give keras.applications as ``weights``."""
    if config.init != "imagenet":
        return None
    return str(user_path(config.weights_path)) if config.weights_path else "imagenet"


def _application(
    application: Callable[..., keras.Model],
    inputs: keras.KerasTensor,
    features: keras.KerasTensor,
    spec: DataSpec,
    config: ModelConfig,
) -> keras.Model:
    weights = _pretrained(config)
    if weights is not None and spec.input_shape[2] != 3:
        raise ModelError(
            f"ImageNet weights need images of 3 channels, {spec.name!r} has {spec.input_shape[2]}; "
            "use model.init=shared"
        )
    if config.weights_path and weights is not None and not Path(weights).is_file():
        raise ModelError(f"model.weights_path {weights!r} is not there")
    try:
        backbone = application(
            include_top=False, weights=weights, input_tensor=features, pooling="avg"
        )
    except Exception as error:  # Keras raises whatever its downloader or HDF5 raise
        if weights is None:
            raise
        raise ModelError(
            f"ImageNet weights of {config.name} can't be had "
            f"({type(error).__name__}: {explained(error)}); "
            "fetch Keras' '…_no_top.h5' file where there is a network and give it as "
            "model.weights_path"
        ) from error
    head = keras.layers.Dense(spec.num_classes, activation="softmax", name="head")
    return keras.Model(inputs, head(backbone.output), name=config.name)


def build_model(config: Config, spec: DataSpec, *place: str | int) -> keras.Model:
    """Builds the configured model with weights fixed by the seed and ``place``.

    Keras' global seeds (and so Python's and numpy's) are set on the way.

    Args:
        config: the run's config.
        spec: the data set it is for.
        *place: who it is for, for example ``"edge-00"`` with independent inits.

    Raises:
        ConfigError: there is no model of that name, or none with ImageNet weights.
        InstallationError: Keras is set to another backend, data format or float type.
        ModelError: it can't be built, does not fit the data, or was given before.
    """
    check_not_forked()
    check_keras_settings()
    with _SEEDED:
        keras.utils.set_random_seed(derive_seed(config.seed, "init", *place))
        return _built(config, spec)


def _built(config: Config, spec: DataSpec) -> keras.Model:
    name, logits = config.model.name, gives_logits(config.model)
    check_name("model.name", name, MODELS)
    if config.model.init == "imagenet" and name not in PRETRAINED:
        raise ConfigError(
            f"model.init=imagenet is for {' and '.join(PRETRAINED)}, model.name is {name!r}"
        )
    if is_plugin(name):
        function = load_function("model.name", name)
        model = _checked(call_users_function(function, name, spec), name, spec, logits)
        check_new(model, name)
        if config.model.rescale is Rescale.AUTO and meets_raw_values(model, spec):
            model = rescaled(model, spec)
    else:
        try:
            made = MODELS[name](spec, config.model)
        except tf.errors.OpError as error:  # absurd sizes: there is no such memory
            raise ModelError(
                f"model.name={name!r} can't be built: {explained(error)}; make it smaller"
            ) from error
        model = _checked(made, name, spec, logits)
    follow_weights(model)
    return _frozen(model, config.model)


def _frozen(model: keras.Model, config: ModelConfig) -> keras.Model:
    """Freezes all but the last layer with weights, where only the head is to be trained."""
    if config.train is Trains.ALL:
        return model
    weighted = [
        layer
        for layer in model._flatten_layers(include_self=False)
        if layer.weights and not list(layer._flatten_layers(include_self=False))
    ]
    for layer in weighted[:-1]:
        layer.trainable = False
    return model


def _checked(model: keras.Model, name: str, spec: DataSpec, logits: bool) -> keras.Model:
    """Builds a model that is not built yet, and compares its head with the classes."""
    inputs = getattr(model, "_inputs", None) or ()
    if len(inputs) > 1:
        raise ModelError(
            f"model.name={name!r} takes {len(inputs)} inputs; expected one of shape "
            f"{spec.input_shape}"
        )
    try:
        probe = two_inputs(spec)
        outputs = model(probe, training=False)
    except Exception as error:  # Keras raises many kinds
        raise ModelError(
            f"model.name={name!r} can't take inputs of shape {spec.input_shape}: {explained(error)}"
        ) from error
    shape = getattr(outputs, "shape", None)
    one = shape is not None and tuple(shape) == (2, 1) and spec.num_classes == 2
    if not one and (shape is None or tuple(shape) != (2, spec.num_classes)):
        got = (
            type(outputs).__name__
            if shape is None
            else f"shape (n, {', '.join(map(str, shape[1:]))})"
        )
        raise ModelError(
            f"model.name={name!r} gives {got}; data set {spec.name!r} has {spec.num_classes} "
            f"classes, expected shape (n, {spec.num_classes})"
            + (", or (n, 1) of the second class alone" if spec.num_classes == 2 else "")
        )
    answers = keras.ops.convert_to_numpy(outputs)
    check_output(model, probe, answers, name, logits=logits)
    return model


def initial_model(config: Config, spec: DataSpec, *place: str | int) -> keras.Model:
    """A model with fresh or loaded weights, fixed by config, seed and ``place``.

    Raises:
        ModelError: ``model.init`` is a file that can't be loaded.
    """
    model = build_model(config, spec, *place)
    if config.model.init.endswith(".keras"):
        _load_saved(model, user_path(config.model.init))
    return model


def initial_weights(config: Config, spec: DataSpec, *place: str | int) -> list[Array]:
    """The weights of ``initial_model``, in ``get_weights()`` order."""
    weights: list[Array] = initial_model(config, spec, *place).get_weights()
    return weights


def _load_saved(model: keras.Model, path: Path) -> None:
    if not path.is_file():
        raise ModelError(f"model.init: file {str(path)!r} is not there")
    try:
        model.load_weights(path)
    except Exception as error:  # Keras raises many kinds
        raise ModelError(
            f"model.init: {path} does not fit the model: {explained(error)}"
        ) from error


def template_of(model: keras.Model) -> Template:
    """The template of a built model."""
    trainable = {id(variable) for variable in model.trainable_weights}
    frozen = _frozen_weights(model)
    keys = unique_keys([variable.path for variable in model.weights])
    return Template(
        tuple(
            WeightSpec(
                key,
                tuple(variable.shape),
                variable.dtype,
                _role(variable, trainable),
                omittable=id(variable) in frozen,
            )
            for key, variable in zip(keys, model.weights, strict=True)
        )
    )


def _frozen_weights(model: keras.Model) -> set[int]:
    """Ids of the weights that no training changes: of layers that are not trainable."""
    weights = {id(variable) for variable in model.weights}
    frozen = (layer for layer in model._flatten_layers() if not layer.trainable)
    return weights & {id(variable) for layer in frozen for variable in layer.weights}


def _role(variable: keras.Variable, trainable: set[int]) -> Role:
    if variable.dtype.startswith(("float16", "bfloat", "float8")):
        raise ModelError(
            f"weight {variable.path} is {variable.dtype}; keep the weights in float32: give the "
            f"layer the dtype policy 'mixed_float16' or 'mixed_bfloat16' instead of "
            f"{variable.dtype!r}"
        )
    if not variable.dtype.startswith("float"):
        return Role.STATE
    return Role.TRAINABLE if id(variable) in trainable else Role.STATISTIC


def gives_logits(config: ModelConfig) -> bool:
    """Whether the model's last layer gives logits."""
    return config.output is Output.LOGITS
