"""Sequences of unequal length side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elman.export.onnx.runners.network import Array


def padded(sequences: Sequence[Array]) -> tuple[Array, Array]:
    """[T] or [T, F] each → [B, T] or [B, T, F], zero after their ends, and their lengths [B]."""
    arrays = [np.asarray(sequence) for sequence in sequences]
    lengths = np.array([len(array) for array in arrays], np.int64)
    wide = np.zeros((len(arrays), lengths.max(), *arrays[0].shape[1:]), arrays[0].dtype)
    for row, array in zip(wide, arrays, strict=True):
        row[: len(array)] = array
    return wide, lengths
