"""Proving files: does a file compute what its Keras model does, and what does it cost."""
