"""The room `start`."""
