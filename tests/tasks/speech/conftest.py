"""The fixtures of trained_runs.py, for the tests beside it."""

from trained_runs import _place, both_ways, classes, said, streaming

__all__ = ["_place", "both_ways", "classes", "said", "streaming"]
