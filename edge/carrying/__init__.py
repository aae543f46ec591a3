"""What brings letters to an edge and back over a network, without TensorFlow."""
