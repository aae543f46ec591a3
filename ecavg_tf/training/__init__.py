"""Training by ``model.fit`` and scoring, with the same bits every time."""
