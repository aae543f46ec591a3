"""Export jobs from beginning to end: a run's models, one Keras file, a training file."""
