"""Files for devices: one zip with a model and all that is needed to run and to test it."""
