"""Inputs that were not measured at some steps: few are filled with the value before.

With that, and not on a line, so that no step reads what comes after it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from elman.wording import counted

Values = NDArray[np.float64]

SHORT = 3  # steps in a row
SHARE = 0.1  # of the steps of a sequence


def filled(x: Values, names: tuple[str, ...]) -> tuple[Values, int]:
    """Inputs [T, I] without NaN, and how many values were filled in; those missing at the start are
    filled with the first that is there.

    ValueError: more missing in a row, or in all, than can be filled.
    """
    missing = np.isnan(x)
    if not missing.any():
        return x, 0
    found = x.copy()
    for name, column, gone in zip(names, found.T, missing.T, strict=True):
        if not gone.any():
            continue
        steps = counted(len(gone), "step")
        if gone.sum() > SHARE * len(gone):
            raise ValueError(f'"{name}" holds no number in {gone.sum():,} of {steps}')
        if (longest := _longest(gone)) > SHORT:
            raise ValueError(
                f'"{name}" holds no number in {longest:,} steps in a row; up to {SHORT} are filled'
            )
        last = np.maximum.accumulate(np.where(gone, -1, np.arange(len(gone))))
        column[:] = column[np.where(last < 0, (~gone).argmax(), last)]
    return found, int(missing.sum())


def _longest(gone: NDArray[np.bool_]) -> int:
    """The most in a row."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], gone.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max())
