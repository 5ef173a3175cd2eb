"""Time series out of tables: which column is what, how times are spaced, what is missing."""
