"""How sure forecasts are: distributions that are learnt, intervals that are calibrated."""
