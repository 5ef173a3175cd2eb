"""Ways to forecast, tried on the end of the training part, of which the nearest is taken."""
