"""Training by ``model.fit`` and scoring, fixed to the bit."""
