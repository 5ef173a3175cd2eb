"""The room `inside`."""
