"""Models that Keras 2 or 3 saved: .keras, .h5, .weights.h5 with the JSON of the model."""
