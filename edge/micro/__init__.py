"""For a microcontroller at a serial line: its lines become updates, weights become lines."""
