"""Imported networks as run folders: what a task needs beside the weights, and what of it fits."""
