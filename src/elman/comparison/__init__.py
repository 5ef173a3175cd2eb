"""Cells side by side on one task: a fair race, with intervals."""
