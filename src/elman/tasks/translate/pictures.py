"""Where attention looks: a matrix for each of a few sentences."""
