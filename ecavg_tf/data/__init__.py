"""Data sets, and how their examples are dealt out to edges."""
