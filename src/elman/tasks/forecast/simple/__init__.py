"""Forecasts that need no network: made in a moment, they are what one has to beat."""
