"""Recordings: their samples, and where their transcripts, labels and speakers stand."""
