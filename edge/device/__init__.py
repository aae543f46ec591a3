"""The device runtime: a bundle is checked, run and trained without TensorFlow."""
