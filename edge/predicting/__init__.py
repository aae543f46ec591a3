"""Predicting: from a user's files to class probabilities."""
