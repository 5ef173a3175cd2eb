"""Sequences with labels, from whatever files hold them."""
