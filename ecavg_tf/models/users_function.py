"""Calling the user's function that makes a model."""

import contextlib
import weakref
from collections.abc import Callable, Iterator

import keras

from ecavg_tf.core.errors import ECAvgError, ModelError
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.keras_settings import check_keras_settings
from ecavg_tf.models.keras_words import explained

_HANDED_OUT: dict[int, weakref.ref[keras.Variable]] = {}


def call_users_function(
    function: Callable[[DataSpec], keras.Model], name: str, spec: DataSpec
) -> keras.Model:
    """The model that a user's function makes.

    What the function sets of Keras' global settings holds for its own layers alone: the next
    model, and whoever called us, find them as they were.

    Args:
        function: the user's.
        name: the function's, ``pkg.module:function``.
        spec: the data set that the model is for.

    Raises:
        ModelError: the function fails, gives something else than a model, or gives a model
            whose variables it gave before.
        InstallationError: it changes Keras' settings to such that no run works with.
    """
    try:
        with _settings_kept():
            model = function(spec)
            check_keras_settings()
    except ECAvgError:
        raise
    except Exception as error:  # whatever the user's function raises
        raise ModelError(
            f"model.name={name!r} fails: {type(error).__name__}: {explained(error)}"
        ) from error
    if not isinstance(model, keras.Model):
        raise ModelError(
            f"model.name={name!r} returned {type(model).__name__}, expected an uncompiled "
            "keras.Model"
        )
    return model


def check_new(model: keras.Model, name: str) -> None:
    """Edges and server train models of their own: none may share a variable with another.

    Args:
        model: a built model.
        name: the function that made it.

    Raises:
        ModelError: a variable of it was in a model that was made before.
    """
    for variable in model.variables:
        known = _HANDED_OUT.get(id(variable), lambda: None)()
        if known is not None and known is variable:
            raise ModelError(
                f"model.name={name!r} returned a model with a variable that it has given before "
                f"({known.path}); the function must make a new model, with new layers, each "
                "time it is called"
            )
    for variable in model.variables:
        _HANDED_OUT[id(variable)] = weakref.ref(variable)


@contextlib.contextmanager
def _settings_kept() -> Iterator[None]:
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    data_format = keras.config.image_data_format()
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_image_data_format(data_format)
        if keras.config.dtype_policy().name != policy.name:
            keras.config.set_dtype_policy(policy)
