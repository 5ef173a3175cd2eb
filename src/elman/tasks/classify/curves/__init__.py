"""Sequences of numbers: fixed convolutions with a linear model, scaling, neighbours, pictures."""
