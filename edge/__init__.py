"""What runs on an edge."""

DEFAULT_EDGE = "edge-00"  # the name of an edge for which the user gave none
