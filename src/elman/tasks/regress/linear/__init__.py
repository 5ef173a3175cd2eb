"""The best linear answer to what a regressor is asked: its form, its fit, what it tells."""
