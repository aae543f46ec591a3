"""Models for microcontrollers: sources, a run in the tflite-micro interpreter, a verdict."""
