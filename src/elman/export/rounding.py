"""Weights in fewer bits, for files that are smaller."""

from __future__ import annotations

import numpy as np

from elman.export.program import Array


def rounded(weights: Array) -> tuple[Array, Array]:
    """Weights [..., columns] as int8, -127 … 127, and the scale [..., 1] of each row.

    A row of zeros has the scale 1. `int8 * scale` gives each weight to half of its row's scale.
    """
    largest = np.abs(weights).max(-1, keepdims=True)
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.round(weights / scale).astype(np.int8), scale
