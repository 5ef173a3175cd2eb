"""What a forecaster has to beat: which simple forecast the training part chose, and how sure a gain
over it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from elman import chance
from elman.chance import Tally
from elman.tasks.forecast import naive
from elman.tasks.forecast.options import Beside
from elman.tasks.forecast.panel import Panel
from elman.tasks.forecast.scores import mase_scales, scores_of
from elman.tasks.rivals import Rival, chosen_first

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LOOKED_AT = 2000  # origins by which the best is chosen
NEAR = 0.01  # share of the error within which the simpler forecast is taken
STRETCHES = 10  # of time, from which on chance is counted by them
ALIKE = 0.1  # mean correlation from which on series go together
COMPARED, COMMON = 40, 500  # series, and values of them, by which it is told whether they do


def rivals(dataset: Panel, quantiles: Sequence[float], training: Panel) -> list[Rival]:
    """All simple forecasts, scored on the windows of `dataset.check`; the chosen one first."""
    windows, found = dataset.check, []
    for name, simple in naive.suited(dataset).items():
        made = simple.make(dataset, windows)
        scores = scores_of(dataset, windows, made[:, :, None], quantiles)
        found.append(Rival(naive.told(name, dataset), scores, tally(dataset, windows, made)))
    return chosen_first(found, naive.told(chosen(training), dataset))


def chosen(training: Panel) -> Beside:
    """The simple forecast that was nearest in back-tests over the second half of the training part,
    by its scaled absolute error; the simpler one of two that are as good."""
    key = b"chosen"
    if key not in training.memo:
        training.memo[key] = _chosen(training)
    found: Beside = training.memo[key]
    return found


def _chosen(training: Panel) -> Beside:
    windows = late(training.train, LOOKED_AT)
    errors = {
        name: float(np.nanmean(scaled_errors(training, windows, simple.make(training, windows))))
        for name, simple in naive.suited(training).items()
    }
    least = min(errors.values())
    if not np.isfinite(least):
        return "last-value"
    return next(name for name, error in errors.items() if error <= (1 + NEAR) * least)


def late(windows: Ints, most: int) -> Ints:
    """Those in the second half of each series, at most so many, evenly spread."""
    _, first = np.unique(windows[:, 0], return_index=True)
    counts = np.diff(np.append(first, len(windows)))
    rank = np.arange(len(windows)) - np.repeat(first, counts)
    kept = windows[rank >= np.repeat(counts, counts) // 2]
    return kept[np.linspace(0, len(kept) - 1, min(len(kept), most)).round().astype(np.int64)]


def scaled_errors(panel: Panel, windows: Ints, made: Floats) -> Floats:
    """Mean absolute error of forecasts [N, H] by window, in the scales of MASE, [N]; where no
    series moves, by the size of the values."""
    y = panel.values(windows)
    scale = mase_scales(panel, windows)[windows[:, 0]]
    if not (scale > 0).any():
        return np.asarray(np.abs(y - made).mean(1) / np.maximum(np.abs(y).mean(1), 1e-12))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(scale > 0, np.abs(y - made).mean(1) / scale, np.nan))


def tally(panel: Panel, windows: Ints, made: Floats) -> Tally:
    """The first of `scores_of`, from the errors of forecasts [N, H] by units."""
    y, H = panel.values(windows), panel.settings.horizon
    errors = np.abs(y - made)
    scale = mase_scales(panel, windows)[windows[:, 0]]
    if (fair := scale > 0).any():
        parts = errors.sum(1) / np.where(fair, scale, 1.0)
        counts = np.where(fair, float(H), 0.0)
    else:
        both = np.abs(y) + np.abs(made)
        parts = (200 * errors / np.where(both > 0, both, 1)).sum(1)
        counts = np.full(len(windows), float(H))
        fair = np.ones(len(windows), dtype=bool)
    unit, of = units(panel, windows)
    of = np.unique(of[fair], return_inverse=True)[1]
    return chance.shares(
        unit,
        np.bincount(of, parts[fair]).astype(np.float64),
        np.bincount(of, counts[fair]).astype(np.float64),
    )


def units(panel: Panel, windows: Ints) -> tuple[str, Ints]:
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
