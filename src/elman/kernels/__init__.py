"""The compiled kernels, torch-free C++ behind checked functions of tensors."""

from elman.kernels.native import Available, available, instruction_sets

__all__ = ["Available", "available", "instruction_sets"]
