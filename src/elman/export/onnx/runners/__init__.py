"""From raw input to the answer with NumPy and ONNX Runtime alone: parts of the file beside a model.

These modules import one another, NumPy, ONNX Runtime and the standard library, nothing of Elman.
`joining.py` puts those that a task needs into one file.
"""
