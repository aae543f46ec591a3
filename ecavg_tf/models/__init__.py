"""Keras models: built, saved, read for what the rungs exchange, recalibrated."""
