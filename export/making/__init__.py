"""Making files: from a Keras model to ``.tflite`` bytes."""
