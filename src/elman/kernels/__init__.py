"""The compiled kernels, torch-free C++ behind checked functions of tensors."""

from elman.kernels.native import (
    Available,
    available,
    available_half,
    half_instruction_sets,
    instruction_sets,
)

__all__ = [
    "Available",
    "available",
    "available_half",
    "half_instruction_sets",
    "instruction_sets",
]
