"""Between float and 8 bits: a net of plain operations whose ranges and rounding are ours."""
