"""Encodings of texts, found from all their bytes."""
