"""Keeps TensorFlow's start-up noise from the user."""

import os
from pathlib import Path

from ecavg_tf.core.stderr import held_back_stderr
from ecavg_tf.forked import check_not_forked
from ecavg_tf.keras_settings import check_keras_settings
from ecavg_tf.kernels import choose_kernels


def import_tensorflow(model: str = "", run: Path | None = None) -> None:
    """Imports TensorFlow without the lines its C++ side prints on the way.

    ``TF_CPP_MIN_LOG_LEVEL`` alone does not help: what is logged before the logger is
    set up goes to file descriptor 2 whatever the level. What was printed is
    shown after all if the import fails.

    Args:
        model: the config's ``model.name``, for which kernels are chosen; empty: not known.
        run: the run directory, which may be of a run that goes on.

    Raises:
        InstallationError: Keras, which TensorFlow imports, can't work as this machine sets it.
    """
    check_not_forked()
    check_keras_settings()
    choose_kernels(model, run)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with held_back_stderr():
        import tensorflow as tf

        tf.config.list_physical_devices()
