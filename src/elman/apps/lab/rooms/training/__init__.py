"""A run as it learns: what it says, its curves, what it makes, and how to steer it."""
