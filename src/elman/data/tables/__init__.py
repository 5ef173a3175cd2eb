"""Tables as people bring them: what bytes, cells, numbers and dates mean, decided once, told, and
kept with the model."""
