"""Keeps TensorFlow's start-up noise from the user."""

import os

from ecavg_tf.core.stderr import held_back_stderr
from ecavg_tf.forked import check_not_forked
from ecavg_tf.keras_settings import check_keras_settings


def import_tensorflow() -> None:
    """Imports TensorFlow without the lines its C++ side prints on the way.

    ``TF_CPP_MIN_LOG_LEVEL`` alone does not help: what is logged before the logger is
    set up goes to file descriptor 2 whatever the level. What was printed is
    shown after all if the import fails.

    Raises:
        InstallationError: Keras, which TensorFlow imports, can't work as this machine sets it.
    """
    check_not_forked()
    check_keras_settings()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with held_back_stderr():
        import tensorflow as tf

        tf.config.list_physical_devices()
