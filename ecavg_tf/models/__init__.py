"""Keras models: built, saved, read for what the rungs exchange, recalibrated."""

from ecavg_tf.keras_settings import check_keras_settings

check_keras_settings()  # importing Keras fails with the words of another backend
