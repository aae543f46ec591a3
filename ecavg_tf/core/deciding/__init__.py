"""The mathematics of an edge's decision: numpy alone."""
