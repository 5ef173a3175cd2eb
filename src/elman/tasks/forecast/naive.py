"""The forecasts that a network has to beat: the last value, the last season, a straight line."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from elman.tasks.forecast.panel import Panel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def last_value(panel: Panel, windows: Ints) -> Floats:
    """The last value before each origin, repeated, [N, H]."""
    last = panel.raw[panel.starts[windows[:, 0]] + windows[:, 1] - 1]
    return np.repeat(last[:, None], panel.settings.horizon, 1)


def seasonal(panel: Panel, windows: Ints) -> Floats:
    """The last season before each origin, repeated; the last value where there is none, [N, H]."""
    season = np.minimum(panel.settings.season, windows[:, 1])[:, None]
    season = np.where(season < panel.settings.season, 1, season)
    first = (panel.starts[windows[:, 0]] + windows[:, 1])[:, None] - season
    found: Floats = panel.raw[first + np.arange(panel.settings.horizon) % season]
    return found


def drift(panel: Panel, windows: Ints) -> Floats:
    """The line from the first value to the last before each origin, drawn on, [N, H]."""
    start, origin = panel.starts[windows[:, 0]], windows[:, 1]
    first, last = panel.raw[start], panel.raw[start + origin - 1]
    slope = (last - first) / np.maximum(origin - 1, 1)
    ahead: Floats = last[:, None] + slope[:, None] * np.arange(1, panel.settings.horizon + 1)
    return ahead


NAIVE: Mapping[str, Callable[[Panel, Ints], Floats]] = {
    "last value": last_value,
    "last season": seasonal,
    "drift": drift,
}


TOLD: Mapping[str, str] = {
    "last value": "last value repeated",
    "last season": "last season repeated",
    "drift": "the line from the first value to the last, drawn on",
}
LOOKED_AT = 5000  # windows by which the best is chosen


def best(training: Panel) -> str:
    """The one that lies nearest in the training part, by its scaled absolute error: it is what
    scores are compared with, and was chosen without a look at what is scored."""
    windows = training.train[:: max(1, len(training.train) // LOOKED_AT)]
    y, spread = training.values(windows), training.scales.spread[windows[:, 0], None]
    if training.settings.log or training.settings.seasonal:  # those are of something else
        spread = np.maximum(np.abs(y).mean(1, keepdims=True), 1e-12)
    errors = {
        name: float((np.abs(forecast(training, windows) - y) / spread).mean())
        for name, forecast in NAIVE.items()
        if name != "last season" or training.settings.season > 1
    }
    return min(errors, key=errors.__getitem__)
