"""Frames: which notes sound in each step of a grid."""
