"""Beside it stand small files to make runs of, for the tests of all exports."""
