"""Read a sequence and tell a value: at every step, or one at its end."""
