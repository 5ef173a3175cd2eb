"""ONNX: programs as graphs, and a Python file beside them that needs NumPy and ONNX Runtime."""

from elman.export.onnx.writing import open_written, write

__all__ = ["open_written", "write"]
