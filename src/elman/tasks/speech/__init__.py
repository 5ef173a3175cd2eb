"""Hear a recording: write what is said, or name its class."""
