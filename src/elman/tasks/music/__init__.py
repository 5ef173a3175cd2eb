"""Pieces of notes: a model that composes, harmonises and goes on playing."""
