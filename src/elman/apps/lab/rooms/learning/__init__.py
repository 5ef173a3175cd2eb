"""The room `learning`."""
