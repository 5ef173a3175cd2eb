"""Sequences through cells: the time loop, stacks of layers, and what regularises them."""
