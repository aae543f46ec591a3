"""What brings the letters of a run to edges over a network."""
