"""The forecasts that a network has to beat: simple, and made in a moment.

Each is a function of a panel and of windows [N, 2], and gives [N, H] in the units of the data. What
a window's forecast is made of lies before its origin, and does not depend on other windows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from elman.tasks.forecast.data import Panel
from elman.tasks.forecast.options import Beside
from elman.tasks.forecast.simple import autoregression, smoothing

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

T = TypeVar("T")
WEEK = 7
KEPT = 16  # forecasts of sets of windows
MEMORY = 8_000_000  # smoothed states at once
MANY = 4_000  # series that autoregressions are fitted to in about ten seconds
WORK = 1_500_000_000  # states times values that are smoothed in about ten seconds


def last_value(panel: Panel, windows: Ints) -> Floats:
    """The last value before each origin, repeated."""
    last = panel.raw[panel.starts[windows[:, 0]] + windows[:, 1] - 1]
    return np.repeat(last[:, None], panel.settings.horizon, 1)


def seasonal(panel: Panel, windows: Ints) -> Floats:
    """The last season before each origin, repeated; the last value where there is none."""
    return _repeated(panel, windows, panel.settings.season)


def weekly(panel: Panel, windows: Ints) -> Floats:
    """The last week before each origin, where a season is a day; else the last day."""
    day = panel.settings.season
    made = _repeated(panel, windows, WEEK * day)
    short = windows[:, 1] < WEEK * day
    if short.any():
        made[short] = _repeated(panel, windows[short], day)
    return made


def _repeated(panel: Panel, windows: Ints, season: int) -> Floats:
    lag = np.where(windows[:, 1] < season, 1, season)[:, None]
    first = (panel.starts[windows[:, 0]] + windows[:, 1])[:, None] - lag
    found: Floats = panel.raw[first + np.arange(panel.settings.horizon) % lag]
    return found


def drift(panel: Panel, windows: Ints) -> Floats:
    """The line from the first value to the last before each origin, drawn on."""
    start, origin = panel.starts[windows[:, 0]], windows[:, 1]
    first, last = panel.raw[start], panel.raw[start + origin - 1]
    slope = (last - first) / np.maximum(origin - 1, 1)
    ahead: Floats = last[:, None] + slope[:, None] * np.arange(1, panel.settings.horizon + 1)
    return ahead


def mean(panel: Panel, windows: Ints) -> Floats:
    """The mean of all values before each origin."""
    # Of each series from its own first value, so that a large one costs the others no digits.
    made = np.zeros(len(windows))
    for number in np.unique(windows[:, 0]):
        at = windows[:, 0] == number
        origins = windows[at, 1]
        sums = np.cumsum(panel.history(int(number), int(origins.max())))
        made[at] = sums[origins - 1] / origins
    return np.repeat(made[:, None], panel.settings.horizon, 1)


def smoothed(panel: Panel, windows: Ints) -> Floats:
    """Exponential smoothing: level, trend, damped or not, and season, as AICc has them."""
    return _smoothed(panel, windows).ets


def theta(panel: Panel, windows: Ints) -> Floats:
    """Theta: simple smoothing with half of the trend (Assimakopoulos and Nikolopoulos 2000)."""
    return _smoothed(panel, windows).theta


def smoothed_and_theta(panel: Panel, windows: Ints) -> Floats:
    """The mean of both, which is often nearer than either."""
    made = _smoothed(panel, windows)
    return (made.ets + made.theta) / 2


def autoregressed(panel: Panel, windows: Ints) -> Floats:
    """A linear autoregression on the values, or their logarithms, before each origin."""
    return _kept(panel, windows, _autoregress)


def _autoregress(panel: Panel, windows: Ints) -> Floats:
    made = np.zeros((len(windows), panel.settings.horizon))
    for number in np.unique(windows[:, 0]):
        at = windows[:, 0] == number
        origins = windows[at, 1]
        past = panel.history(int(number), int(origins.max()))
        made[at] = autoregression.autoregressed(
            past, panel.settings.season, panel.settings.horizon, origins
        )
    return made


def season_and_regression(panel: Panel, windows: Ints) -> Floats:
    """The mean of the last season and an autoregression, which err in ways of their own."""
    return (seasonal(panel, windows) + autoregressed(panel, windows)) / 2


def day_and_week(panel: Panel, windows: Ints) -> Floats:
    """The mean of the last day and the last week, each repeated."""
    return (seasonal(panel, windows) + weekly(panel, windows)) / 2


@dataclass(frozen=True)
class Simple:
    """One of them: how it is told, and which data it is for."""

    told: str
    make: Callable[[Panel, Ints], Floats]
    suits: Callable[[Panel], bool] = lambda panel: True


def _has_season(panel: Panel) -> bool:
    return panel.settings.season > 1


def _has_week(panel: Panel) -> bool:
    """Whether the season is a day, known by its times, and some series hold a week."""
    grid, day = panel.collection.grid, panel.settings.season
    by_hour = grid is not None and {"hour", "weekday"} <= set(grid.cycles)
    unknown = grid is None and day in (24, 48, 96)  # as many steps as a day has
    return day > 1 and (by_hour or unknown) and int(panel.lengths.max()) > 2 * WEEK * day


def _is_smoothed(panel: Panel) -> bool:
    """Whether smoothing is a matter of seconds."""
    members = len(smoothing.grid_of(panel.settings.season).form)
    return 2 * members * int(panel.lengths.sum()) < WORK


def _is_regressed(panel: Panel) -> bool:
    """The same of autoregressions."""
    return len(panel.lengths) <= MANY and int(panel.lengths.max()) >= autoregression.SHORTEST


SIMPLE: Mapping[Beside, Simple] = {
    "last-value": Simple("last value repeated", last_value),
    "last-season": Simple("last season repeated", seasonal, _has_season),
    "last-week": Simple("last week repeated", weekly, _has_week),
    "day-and-week": Simple("mean of the last day and the last week", day_and_week, _has_week),
    "drift": Simple("the line from the first value to the last, drawn on", drift),
    "mean": Simple("mean of all values", mean),
    "smoothing": Simple("exponential smoothing", smoothed, _is_smoothed),
    "theta": Simple("Theta", theta, _is_smoothed),
    "both": Simple("mean of exponential smoothing and Theta", smoothed_and_theta, _is_smoothed),
    "autoregression": Simple("linear autoregression", autoregressed, _is_regressed),
    "season-and-regression": Simple(
        "mean of the last season and a linear autoregression", season_and_regression,
        lambda panel: _has_season(panel) and _is_regressed(panel),
    ),
}  # fmt: skip


def suited(panel: Panel) -> dict[Beside, Simple]:
    """Those that are for this data, by name."""
    return {name: one for name, one in SIMPLE.items() if one.suits(panel)}


def told(name: Beside, panel: Panel) -> str:
    """What one is called, for people."""
    season = f" (season {panel.settings.season})" if name == "last-season" else ""
    return SIMPLE[name].told + season


def _smoothed(panel: Panel, windows: Ints) -> smoothing.Smoothed:
    """Both kinds of smoothing."""
    return _kept(panel, windows, _smooth)


def _kept(panel: Panel, windows: Ints, make: Callable[[Panel, Ints], T]) -> T:
    """What is made of windows that are asked for again and again, as at every validation."""
    how = (make.__name__, panel.settings.season, panel.settings.horizon)
    key = repr(how).encode() + windows.tobytes()
    if key not in panel.memo:
        if len(panel.memo) > KEPT:
            panel.memo.clear()
        panel.memo[key] = make(panel, windows)
    found: T = panel.memo[key]
    return found


def _smooth(panel: Panel, windows: Ints) -> smoothing.Smoothed:
    """Long series are cut into pieces that are smoothed beside one another.

    Origins of a piece read what stands in it and a lead before it, so that which other windows
    there are changes nothing.
    """
    season, H, size = panel.settings.season, panel.settings.horizon, smoothing.PIECE
    lead = max(500, 12 * season) if season <= smoothing.LONGEST_SEASON else 500
    pieces = windows[:, 1] // size
    cut, of = np.unique(np.stack([windows[:, 0], pieces], 1), axis=0, return_inverse=True)
    of = of.reshape(-1)
    begins = np.maximum(0, cut[:, 1] * size - lead)
    ets, theta_ = np.zeros((len(windows), H)), np.zeros((len(windows), H))
    grid = smoothing.grid_of(season)
    states = len(grid.form) + season * (len(grid.form) - grid.plain)
    together = max(1, MEMORY // (2 * states))
    for first in range(0, len(cut), together):
        some = np.arange(first, min(first + together, len(cut)))
        at = np.flatnonzero((of >= first) & (of < first + together))
        origins = windows[at, 1] - begins[of[at]]
        y = np.full((len(some), int(origins.max())), np.nan)
        for row, k in enumerate(some):
            own = of[at] == k
            end = int(origins[own].max())
            start = panel.starts[cut[k, 0]] + begins[k]
            y[row, :end] = panel.raw[start : start + end]
        ets[at], theta_[at] = smoothing.smoothed(y, season, H, of[at] - first, origins)
    return smoothing.Smoothed(ets, theta_)
