"""The networks that forecast: all steps at once, one after the other, by segments, smoothed."""
