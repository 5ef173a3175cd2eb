"""The room where a model writes, composes, answers and hears."""
