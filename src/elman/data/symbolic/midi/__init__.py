"""Standard MIDI files, read without trust and written."""
