"""How far forecasts lie from what came, in the measures that forecasters use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from elman import chance
from elman.chance import Tally
from elman.metrics import Scores
from elman.tasks.forecast.data import Panel
from elman.tasks.forecast.errors import mase_scales, spreads
from elman.tasks.forecast.intervals.conformal import levels, pairs
from elman.tasks.forecast.mixing.mixture import forecasts
from elman.tasks.forecast.networks.network import Network
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.forecast.units import units_of
from elman.tasks.task import Validation

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def validate(model: nn.Module, dataset: Panel, options: ForecastOptions, device: str) -> Validation:
    windows = dataset.check
    made, loss = forecasts(model, dataset, windows, device)
    scores = scores_of(dataset, windows, made, options.quantiles)
    if isinstance(model, Network) and model.bands is not None and model.bands.calibrated:
        scores |= coverage(dataset, windows, made, options.quantiles)
    tally = tally_of(dataset, windows, point(made, options.quantiles))
    return Validation(loss, scores, tally=tally)


def scores_of(panel: Panel, windows: Ints, made: Floats, quantiles: Sequence[float] = ()) -> Scores:
    """Means over all forecast values of all windows; `made` is [N, H, Q], without quantiles Q = 1.

    mase: absolute error over that of the season before, one step ahead, in the values before the
    first origin of the series (Hyndman and Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001).
    smape: 200 |y - f| / (|y| + |f|), in percent, as in the M4 competition; 0 where both are 0.
    mape: in percent, over values that are not 0. mae, rmse: in the units of the data.
    mse_scaled, mae_scaled: by the deviation of each series in its training part.
    crps: twice the mean quantile loss, which goes to the continuous ranked probability score as
    quantiles are added. A score that no value allows is left out.
    """
    y = panel.values(windows)
    f = point(made, quantiles)
    error = np.abs(y - f)
    scores: Scores = {}
    scale = mase_scales(panel, windows)[windows[:, 0]]
    fair = scale > 0
    if fair.any():
        scores["mase"] = float((error[fair] / scale[fair, None]).mean())
    both = np.abs(y) + np.abs(f)
    scores["smape"] = float((200 * error / np.where(both > 0, both, 1)).mean())
    if (there := y != 0).any():
        scores["mape"] = float((100 * error[there] / np.abs(y[there])).mean())
    scores["mae"] = float(error.mean())
    scores["rmse"] = float(np.sqrt((error**2).mean()))
    spread = spreads(panel)[windows[:, 0], None]
    scores["mse_scaled"] = float(((error / spread) ** 2).mean())
    scores["mae_scaled"] = float((error / spread).mean())
    if quantiles:
        all_made = made if made.shape[2] == len(quantiles) else np.repeat(made, len(quantiles), 2)
        short = y[..., None] - all_made
        q = np.array(quantiles)
        scores["crps"] = float(2 * np.maximum(q * short, (q - 1) * short).mean())
    return scores


def point(made: Floats, quantiles: Sequence[float]) -> Floats:
    """The one forecast among quantiles [N, H, Q], or `conformal.LEVELS` of none: the median."""
    middle = levels(quantiles).index(0.5) if made.shape[2] > 1 else 0
    return made[:, :, middle]


def coverage(panel: Panel, windows: Ints, made: Floats, quantiles: Sequence[float]) -> Scores:
    """Shares of the values that lie within the intervals, by name: coverage_80, … ; `made` is
    [N, H, Q], no more than one of them where there are no intervals."""
    if made.shape[2] < 2:
        return {}
    y, told, found = panel.values(windows), levels(quantiles), Scores()
    for low, high in pairs(told):
        held = (made[:, :, low] <= y) & (y <= made[:, :, high])
        found[f"coverage_{100 * (told[high] - told[low]):.3g}"] = float(held.mean())
    return found


def tally_of(panel: Panel, windows: Ints, made: Floats) -> Tally:
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
    unit, of = units_of(panel, windows)
    of = np.unique(of[fair], return_inverse=True)[1]
    return chance.shares(
        unit,
        np.bincount(of, parts[fair]).astype(np.float64),
        np.bincount(of, counts[fair]).astype(np.float64),
    )


def mape_by_step(panel: Panel, windows: Ints, made: Floats) -> Floats:
    """MAPE of each step ahead, [H], in percent; NaN where every value is 0."""
    y = panel.values(windows)
    there = y != 0
    shares = np.where(there, 100 * np.abs(y - made) / np.where(there, np.abs(y), 1), 0.0)
    counts = there.sum(0)
    found: Floats = np.where(counts > 0, shares.sum(0) / np.maximum(counts, 1), np.nan)
    return found


def by_step(panel: Panel, windows: Ints, made: Floats) -> Floats:
    """MASE of each step ahead, [H]; of forecasts [N, H]."""
    scale = mase_scales(panel, windows)[windows[:, 0]]
    fair = scale > 0
    if not fair.any():
        return np.full(made.shape[1], np.nan)
    error = np.abs(panel.values(windows)[fair] - made[fair]) / scale[fair, None]
    found: Floats = error.mean(0)
    return found
