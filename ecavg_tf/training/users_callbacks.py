"""Callbacks that a user asks for: functions of their own, and TensorBoard."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras

from ecavg_tf.core.errors import ConfigError, ECAvgError, InstallationError, RoundError
from ecavg_tf.plugins import load_function

_OF_A_BATCH = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")


def users_callbacks(names: str, round_number: int, who: str) -> list[keras.callbacks.Callback]:
    """What the functions of ``edge.callbacks`` or ``server.callbacks`` return for a fit."""
    found = (name.strip() for name in names.split(","))
    return [_users_callback(name, round_number, who) for name in found if name]


def of_every_batch(
    callbacks: Sequence[keras.callbacks.Callback],
) -> list[keras.callbacks.Callback]:
    """Those that do something at every batch."""
    return [
        each
        for each in callbacks
        if not all(getattr(getattr(each, name), "_is_default", False) for name in _OF_A_BATCH)
    ]


def _users_callback(name: str, round_number: int, who: str) -> keras.callbacks.Callback:
    make: Callable[[int, str], keras.callbacks.Callback] = load_function("callbacks", name)
    callback = make(round_number, who)
    if not isinstance(callback, keras.callbacks.Callback):
        raise ConfigError(
            f"callbacks: {name!r} returned {type(callback).__name__}, expected a "
            "keras.callbacks.Callback"
        )
    return callback


@contextlib.contextmanager
def blaming_callbacks(names: str) -> Iterator[None]:
    """With callbacks of the user's, an odd exception in a fit is theirs until shown otherwise."""
    try:
        yield
    except ECAvgError:
        raise
    except Exception as error:
        if not names:
            raise
        raise RoundError(
            f"a fit with callbacks={names!r} fails: {type(error).__name__}: {error}"
        ) from error


def check_tensorboard() -> None:
    """Makes sure that TensorBoard's callback can write.

    Raises:
        InstallationError: the package is missing.
    """
    try:
        import tensorboard  # noqa: F401  # what the callback writes with
    except ImportError as error:
        raise InstallationError(
            "tensorboard=true needs the package: pip install 'ecavg-tf[tensorboard]'"
        ) from error


def tensorboard_callback(folder: Path) -> keras.callbacks.Callback:
    """Keras' own callback, which writes into ``folder``."""
    check_tensorboard()
    return keras.callbacks.TensorBoard(str(folder), write_graph=False)
