"""A run on its way: in one file, on a model hub, and back."""
