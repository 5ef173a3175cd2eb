"""Errors in the scales of series, so that those of large and of small ones can be compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from elman.tasks.forecast.data import Panel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def mase_scales(panel: Panel, windows: Ints) -> Floats:
    """The mean absolute difference from the season before, of each series; 0 where it never moves.

    Of the values before its first origin; from the value before where they hold no two seasons.
    """
    scales = np.zeros(len(panel.lengths))
    for number in np.unique(windows[:, 0]):
        origin = int(windows[windows[:, 0] == number, 1].min())
        y, season = panel.history(int(number), origin), panel.settings.season
        season = season if origin > season else 1
        if origin > 1:
            scales[number] = np.abs(y[season:] - y[:-season]).mean()
    return scales


def scaled_errors(panel: Panel, windows: Ints, made: Floats) -> Floats:
    """Mean absolute error of forecasts [N, H] by window, in the scales of MASE, [N]; where no
    series moves, by the size of the values."""
    y = panel.values(windows)
    scale = mase_scales(panel, windows)[windows[:, 0]]
    if not (scale > 0).any():
        return np.asarray(np.abs(y - made).mean(1) / np.maximum(np.abs(y).mean(1), 1e-12))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(scale > 0, np.abs(y - made).mean(1) / scale, np.nan))


def spreads(panel: Panel) -> Floats:
    """The deviation of each series in its training part, in the units of the data."""
    if not panel.settings.log and not panel.settings.seasonal:
        return panel.scales.spread
    # Those scales are of logarithms or differences.
    ends = np.full(len(panel.lengths), panel.settings.reads)
    np.maximum.at(ends, panel.train[:, 0], panel.train[:, 1] + panel.settings.horizon)
    return np.array([panel.history(k, int(end)).std() or 1.0 for k, end in enumerate(ends)])
