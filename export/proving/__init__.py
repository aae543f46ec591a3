"""Proving files: is a file the Keras model that it came from, and what does it cost."""
