"""Sequences of numbers with numbers to be told."""
