"""What a forecaster has to beat, and which of the simple forecasts the training part chose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from elman.tasks.forecast.data import Panel
from elman.tasks.forecast.errors import scaled_errors
from elman.tasks.forecast.options import Beside, ForecastOptions
from elman.tasks.forecast.scores import scores_of, tally_of
from elman.tasks.forecast.simple import naive
from elman.tasks.rivals import Rival, chosen_first

Ints = NDArray[np.int64]

LOOKED_AT = 2000  # origins by which the best is chosen
NEAR = 0.01  # share of the error within which the simpler forecast is taken


def rivals(dataset: Panel, options: ForecastOptions, training: Panel) -> list[Rival]:
    """All simple forecasts, scored on the windows of `dataset.check`; the chosen one first."""
    windows, found = dataset.check, []
    for name, simple in naive.suited(dataset).items():
        made = simple.make(dataset, windows)
        scores = scores_of(dataset, windows, made[:, :, None], options.quantiles)
        found.append(Rival(naive.told(name, dataset), scores, tally_of(dataset, windows, made)))
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
