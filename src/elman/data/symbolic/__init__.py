"""Notes rather than sound: pieces out of MIDI, ABC and rolls, and back."""
