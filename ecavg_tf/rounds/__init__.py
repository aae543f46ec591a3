"""The round, once, and the fleets that it can run on."""
