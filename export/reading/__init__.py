"""Reading files: what a ``.tflite`` says of itself, every offset distrusted."""
