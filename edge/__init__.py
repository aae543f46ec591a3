"""What runs on an edge."""
