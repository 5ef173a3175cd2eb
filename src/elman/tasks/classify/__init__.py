"""Read a sequence and name its class: reviews, images row by row, curves."""
