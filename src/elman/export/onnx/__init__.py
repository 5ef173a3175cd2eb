"""ONNX: programs as graphs, and a Python file beside them that needs NumPy and ONNX Runtime."""

from elman.export.onnx.writing import answers, open_written, write

__all__ = ["answers", "open_written", "write"]
