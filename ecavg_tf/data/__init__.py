"""Data sets, and how their examples are divided among edges."""
