"""After how many values series repeat themselves, by the values alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def season_of(series: Sequence[NDArray[np.float64]]) -> int:
    """After how many values series repeat themselves best; 1 where they do not.

    The shortest lag whose autocorrelation, with the line through each series taken away and
    averaged over them, is a peak above 0.3 and close to the highest.
    """
    sums, counts = np.zeros(1024), np.zeros(1024)
    for y in series[:200]:
        y = y[-5000:]
        lags = min(len(y) // 3, len(sums) - 1)
        if lags < 3 or not y.std() > 0:
            continue
        t = np.arange(len(y))
        rest = y - np.polyval(np.polyfit(t, y, 1), t)
        size = 2 ** int(np.ceil(np.log2(2 * len(y))))
        power = np.abs(np.fft.rfft(rest, size)) ** 2
        found = np.fft.irfft(power, size)[: lags + 1]
        if found[0] > 0:
            # Over as many pairs as there are: else long lags lose by their few.
            unbiased = found / found[0] * len(y) / (len(y) - np.arange(lags + 1))
            sums[: lags + 1] += unbiased
            counts[: lags + 1] += 1
    lags = int((counts >= max(1, counts.max() / 2)).sum()) - 1
    if lags < 3:
        return 1
    r = sums[: lags + 1] / np.maximum(counts[: lags + 1], 1)
    peaks = [k for k in range(2, lags) if r[k] > r[k - 1] and r[k] >= r[k + 1] and r[k] > 0.3]
    if not peaks:
        return 1
    highest = max(r[k] for k in peaks)
    peak = next(k for k in peaks if r[k] >= 0.9 * highest)
    # Seasons of unequal length blur a peak: after two and three of them the mean shows.
    near = [k for k in (peak - 1, peak, peak + 1) if k > 1 and r[k] >= 0.9 * r[peak]]
    return max(near, key=lambda k: sum(r[n * k] for n in (1, 2, 3) if n * k <= lags))
