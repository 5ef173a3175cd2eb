"""How many things forecasts were tried on: what is independent of one another among windows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from elman.tasks.forecast.data import Panel

Ints = NDArray[np.int64]

STRETCHES = 10  # of time, from which on chance is counted by them
ALIKE = 0.1  # mean correlation from which on series go together
COMPARED, COMMON = 40, 500  # series, and values of them, by which it is told whether they do


def units_of(panel: Panel, windows: Ints) -> tuple[str, Ints]:
    """What may be taken for independent of one another: a word for it, and its number by
    window.

    Forecasts whose windows share values err alike, so that a unit holds the origins of two
    horizons: over errors that stay alike for a horizon the means of such units hold all but a tenth
    of what varies. It is of all series together, a block of time, where there are enough of these
    or where series go up and down together; else of one series.
    """
    if not len(windows):
        return "time block", np.zeros(0, dtype=np.int64)
    moments = _moments(panel, windows)
    steps = np.unique(moments, return_inverse=True)[1]
    near = np.unique(windows[:, 0], return_counts=True)[1].max() > 1
    stride = panel.settings.stride or 1
    if near and len(windows) > 1:
        own = np.diff(windows[:, 1])[np.diff(windows[:, 0]) == 0]
        stride = int(np.median(own)) if len(own) else stride
    stretch = np.asarray(steps // max(1, -(-2 * panel.settings.horizon // stride)), dtype=np.int64)
    several = len(np.unique(windows[:, 0])) > 1
    if not several or len(np.unique(stretch)) >= STRETCHES or _together(panel, windows):
        return "time block", stretch
    both = np.stack([windows[:, 0], stretch], 1)
    of = np.unique(both, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return ("series" if of.max() < len(np.unique(windows[:, 0])) else "series block"), of


def _moments(panel: Panel, windows: Ints) -> Ints:
    """The time of each origin: its place, or, without times, its number."""
    found = windows[:, 1].copy()
    if panel.collection.grid is None:
        return found
    for number in np.unique(windows[:, 0]):
        at = windows[:, 0] == number
        one = panel.collection.series[int(number)]
        places = one.places
        if int(found[at].max()) >= len(places):  # the value to come is not dated yet
            places = np.append(places, places[-1] + 1)
        found[at] = places[found[at]]
    return found


def _together(panel: Panel, windows: Ints) -> bool:
    """Whether the steps of series, without their season, go with one another, as prices of one
    market do: by the values before the first origins."""
    season = panel.settings.season
    numbers, first = np.unique(windows[:, 0], return_index=True)
    chosen = np.linspace(0, len(numbers) - 1, min(len(numbers), COMPARED)).astype(np.int64)
    pasts = [panel.history(int(numbers[k]), int(windows[first[k], 1])) for k in chosen]
    common = min(COMMON, min(map(len, pasts)))
    season = season if season > 1 and common > 3 * season else 0
    if common - season < 12:
        return False
    rows = []
    for y in pasts:
        y = y[-common:]
        steps = np.diff(y[season:] - y[:-season] if season else y)
        if (spread := steps.std()) > 0:
            rows.append((steps - steps.mean()) / spread)
    if (count := len(rows)) < 2:
        return False
    matrix = np.stack(rows)
    means = np.square(matrix.sum(0)).mean()  # the sum of all correlations
    return bool((means - count) / (count * (count - 1)) > ALIKE)
