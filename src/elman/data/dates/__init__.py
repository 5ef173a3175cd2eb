"""Dates as people write them: judged by whole columns, read and written back."""
