"""Pairs of a source and a target text, from whatever files hold them, and their split."""
