"""Reading files: what a ``.tflite`` file contains; every offset is checked."""
