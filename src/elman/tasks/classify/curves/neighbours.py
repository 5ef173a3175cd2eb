"""The nearest of the sequences that were learnt, as they stand or with time warped.

Sequences of numbers are brought to one length first, by straight lines between their steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Rows = NDArray[np.float32]

STEPS: Final = 128  # of sequences that are compared; longer ones are thinned out
NUMBERS: Final = 4_096  # of a sequence that is compared, steps times channels
TOGETHER: Final = 1 << 21  # distances at once, for the sake of memory


def stretched(sequences: Sequence[NDArray[Any]], steps: int) -> Rows:
    """Each [T, I] as so many steps, by straight lines: [N, steps, I] float32."""
    found = np.empty((len(sequences), steps, sequences[0].shape[1]), dtype=np.float32)
    for row, sequence in zip(found, sequences, strict=True):
        if len(sequence) == steps:
            row[:] = sequence
            continue
        at = np.linspace(0, len(sequence) - 1, steps)
        before = np.minimum(at.astype(np.int64), len(sequence) - 1)
        after = np.minimum(before + 1, len(sequence) - 1)
        share = (at - before)[:, None]
        row[:] = (1 - share) * sequence[before] + share * sequence[after]
    return found


def common_steps(lengths: Sequence[int], channels: int) -> int:
    """The number of steps that sequences of these lengths are compared by: the median of theirs,
    where that is not too much."""
    most = max(1, min(STEPS, NUMBERS // channels))
    return int(np.clip(np.median(lengths), 1, most))


def by_itself(rows: Rows) -> Rows:
    """Each channel of each sequence less its mean, over its standard deviation; 0 if constant."""
    spread = rows.std(1, keepdims=True)
    scaled: Rows = (rows - rows.mean(1, keepdims=True)) / np.where(spread > 1e-6, spread, 1)
    return scaled


def straight(asked: Rows, learnt: Rows, *, alone: bool = False) -> Ints:
    """Which of the learnt [M, T, I] each of those asked [N, T, I] is nearest to, [N], by Euclid's
    distance; with `alone`, both being the same, of the others."""
    a, b = asked.reshape(len(asked), -1), learnt.reshape(len(learnt), -1)
    own = np.einsum("mf,mf->m", b, b)
    found = np.empty(len(a), dtype=np.int64)
    size = max(1, TOGETHER // len(b))
    for start in range(0, len(a), size):
        part = a[start : start + size]
        far = own - 2 * (part @ b.T)
        if alone:
            far[np.arange(len(part)), start + np.arange(len(part))] = np.inf
        found[start : start + size] = far.argmin(1)
    return found


def warped(asked: Rows, learnt: Rows, width: int, *, alone: bool = False) -> Ints:
    """The same by dynamic time warping within a band: step t of one may stand beside step u of the
    other where |t - u| <= width (Sakoe and Chiba 1978, doi:10.1109/TASSP.1978.1163055)."""
    found = np.empty(len(asked), dtype=np.int64)
    size = max(1, TOGETHER // ((2 * width + 2) * len(learnt)))
    for start in range(0, len(asked), size):
        far = warped_distances(asked[start : start + size], learnt, width)
        if alone:
            far[np.arange(len(far)), start + np.arange(len(far))] = np.inf
        found[start : start + size] = far.argmin(1)
    return found


def warped_distances(asked: Rows, learnt: Rows, width: int) -> Rows:
    """The least sum of squared differences along a path of matched steps, [N, M].

    far(t, u) = (a_t - b_u)² + min(far(t-1, u), far(t, u-1), far(t-1, u-1))
    """
    steps = asked.shape[1]
    a2, b2 = (np.einsum("nti,nti->tn", rows, rows) for rows in (asked, learnt))
    shape = (len(asked), len(learnt))
    nowhere = np.full(shape, np.inf, dtype=np.float32)
    before: dict[int, Rows] = {-1: np.zeros(shape, dtype=np.float32)}  # the row t - 1, by u
    for t in range(steps):
        row: dict[int, Rows] = {}
        for u in range(max(0, t - width), min(steps, t + width + 1)):
            apart = asked[:, t] @ learnt[:, u].T
            apart *= -2
            apart += a2[t][:, None]
            apart += b2[u]
            np.maximum(apart, 0, out=apart)  # rounding
            least = np.minimum(before.get(u, nowhere), before.get(u - 1, nowhere))
            apart += np.minimum(least, row.get(u - 1, nowhere))
            row[u] = apart
        before = row
    return before[steps - 1]
