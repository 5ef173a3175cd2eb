"""Exponential smoothing and Theta: forecasts at every origin by one pass through the series.

No parameters are searched for. A grid of them is run side by side; at each origin the member whose
errors one step ahead were the smallest so far forecasts, so that nothing looks ahead and no
forecast depends on which others were asked for.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LONGEST_SEASON = 400  # values of a season that is smoothed; longer ones are as good as not known
WARM = 10  # values that a trend is first drawn through
PIECE = 2_000  # origins of a long series that are forecast by one pass


class Form(NamedTuple):
    """What a member of the grid smooths, and how many numbers it has to find."""

    trend: bool
    season: bool

    def size(self, season: int) -> int:
        """Smoothing parameters, first states, and the deviation."""
        return 3 + 3 * self.trend + (1 + season) * self.season


@dataclass(frozen=True)
class Grid:
    """G members: of each its form and parameters, [G]. Those with a season stand last.

    Additive errors in the notation of Hyndman et al. 2008 (doi:10.1007/978-3-540-71918-2):
    y = l + phi b + s + e,  l' = l + phi b + alpha e,  b' = phi b + beta e,  s' = s + gamma e.
    """

    form: Ints  # 0 to 3: trend + 2 * season
    alpha: Floats
    beta: Floats
    gamma: Floats
    phi: Floats

    @property
    def plain(self) -> int:
        """How many have no season."""
        return int((self.form < 2).sum())


FORMS = (Form(False, False), Form(True, False), Form(False, True), Form(True, True))


def grid_of(season: int) -> Grid:
    """The members for series of this season; 1 for none."""
    rows: list[tuple[int, float, float, float, float]] = []
    for a in (0.02, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0):
        rows.append((0, a, 0.0, 0.0, 0.0))
    for a, b, phi in itertools.product(
        (0.1, 0.3, 0.5, 0.7, 0.9, 1.0), (0.02, 0.1, 0.3), (0.85, 0.95, 1.0)
    ):
        rows.append((1, a, a * b, 0.0, phi))
    if 1 < season <= LONGEST_SEASON:
        for a, c in itertools.product((0.02, 0.1, 0.3, 0.5, 0.7, 0.95), (0.01, 0.1, 0.3, 0.6)):
            rows.append((2, a, 0.0, c * (1 - a), 0.0))
        for a, b, c, phi in itertools.product(
            (0.05, 0.2, 0.4, 0.7, 0.95), (0.02, 0.15), (0.01, 0.15, 0.5), (0.95, 1.0)
        ):
            rows.append((3, a, a * b, c * (1 - a), phi))
    form, *numbers = zip(*rows, strict=True)
    return Grid(np.array(form), *(np.array(column) for column in numbers))


class Smoothed(NamedTuple):
    """Forecasts of N origins, [N, H]."""

    ets: Floats  # exponential smoothing, its form chosen by AICc
    theta: Floats


def smoothed(y: Floats, season: int, horizon: int, rows: Ints, origins: Ints) -> Smoothed:
    """Forecasts of series y [R, T] (NaN after the end of one) from `origins` in `rows`, [N] each.

    Values and, where all are above 0, their logarithms are smoothed beside one another: a season or
    trend that grows with the level adds up in logarithms. Which of the two, and which form, says
    AICc (Hurvich and Tsai 1989, doi:10.1093/biomet/76.2.297) at each origin, by the errors so far.
    """
    N, H = len(origins), horizon
    found = Smoothed(np.zeros((N, H)), np.zeros((N, H)))
    order = np.argsort(origins, kind="stable")
    at = 0
    run = _Run(y, season)
    for t in range(int(origins.max(initial=-1)) + 1):
        last = at
        while last < N and origins[order[last]] == t:
            last += 1
        if last > at:
            asked = order[at:last]
            made = run.forecast(rows[asked], H)
            found.ets[asked], found.theta[asked] = made
            at = last
        if t < y.shape[1]:
            run.step()
    return found


class _Run:
    """States of all members on all series, value by value. Views V are 2R: values, logarithms."""

    def __init__(self, y: Floats, season: int) -> None:
        above = np.logical_not(np.logical_and(y <= 0, np.isfinite(y)).any(axis=1))
        with np.errstate(all="ignore"):
            logs = np.where(above[:, None], np.log(np.where(y > 0, y, np.nan)), np.nan)
        self.z = np.concatenate([y, logs])  # [V, T]
        self.R, self.t = len(y), 0
        self.grid = grid = grid_of(season)
        self.G, self.plain = len(grid.form), grid.plain
        self.m = season if self.plain < self.G else 1
        self.warm = np.where(grid.form >= 2, 2 * self.m, np.where(grid.form == 1, WARM, 1))
        V = len(self.z)
        self.level, self.trend, self.season = self._first(V)
        self.sse = np.zeros((V, self.G))
        self.counted, self.begin = 0, self.m if self.m > 1 else 2
        # The sum of logarithms, by which likelihoods of logarithms and values compare.
        self.logs = np.zeros(self.R)
        self.lines = _Lines(V)

    def _first(self, V: int) -> tuple[Floats, Floats, Floats]:
        """First states: [V, G], [V, G], [m, V, seasonal members]."""
        z, m, form = self.z, self.m, self.grid.form
        level = np.repeat(z[:, :1], self.G, 1)
        trend = np.zeros((V, self.G))
        if z.shape[1] >= WARM:
            slope = (z[:, WARM - 1] - z[:, 0]) / (WARM - 1)
            trend[:, form == 1] = slope[:, None]
            level[:, form == 1] -= slope[:, None]
        seasons = np.zeros((m, V, self.G - self.plain))
        if m > 1 and z.shape[1] >= 2 * m:
            two = z[:, : 2 * m].reshape(V, 2, m)
            means = two.mean(2)  # [V, 2]
            slope = (means[:, 1] - means[:, 0]) / m
            line = slope[:, None, None] * (np.arange(2 * m).reshape(2, m) - (m - 1) / 2)
            rest = (two - means[:, :1, None] - line).mean(1)  # [V, m]
            seasons[:] = rest.T[:, :, None]
            start = means[:, 0] - slope * (m + 1) / 2
            level[:, form == 3], trend[:, form == 3] = start[:, None], slope[:, None]
            level[:, form == 2] = means[:, :1]
        return level, trend, seasons

    def step(self) -> None:
        """Read one value of each series."""
        g, p, j = self.grid, self.plain, self.t % self.m
        value = self.z[:, self.t, None]
        carried = g.phi * self.trend
        self.level += carried
        error = value - self.level
        error[:, p:] -= self.season[j]
        self.season[j] += g.gamma[p:] * error[:, p:]
        self.level += g.alpha * error
        self.trend = carried
        self.trend += g.beta * error
        if self.t >= self.begin:
            error *= error
            self.sse += error
            self.logs += self.z[self.R :, self.t]
            self.counted += 1
        self.lines.step(value[:, 0])
        self.t += 1

    def forecast(self, rows: Ints, H: int) -> tuple[Floats, Floats]:
        """What follows in these rows, [n, H] by exponential smoothing and by Theta."""
        criterion = self._criteria(rows)  # [n, 2, G]
        n = len(rows)
        best = criterion.reshape(n, -1).argmin(1)
        log, member = best // self.G, best % self.G
        ets = self._ahead(rows + self.R * log, member, H)
        form = self.grid.form
        still = (form == 0) | (form == 2)  # Theta brings its own trend
        best = np.where(still, criterion, np.inf).reshape(n, -1).argmin(1)
        log_t, member = best // self.G, best % self.G
        views = rows + self.R * log_t
        theta = self._ahead(views, member, H)
        # Assimakopoulos and Nikolopoulos 2000 (doi:10.1016/S0169-2070(00)00066-2) is simple
        # smoothing with half of the trend as drift (Hyndman and Billah 2003,
        # doi:10.1016/S0169-2070(01)00143-1).
        alpha = np.maximum(self.grid.alpha[member], 1e-3)[:, None]
        reach = np.arange(H) + (1 - (1 - alpha) ** self.t) / alpha
        theta += 0.5 * self.lines.slope(views)[:, None] * reach
        return self._values(ets, log, rows), self._values(theta, log_t, rows)

    def _criteria(self, rows: Ints) -> Floats:
        """AICc [n, 2, G] of values and logarithms; infinite for what cannot be told yet."""
        n, sizes = self.counted, np.array([f.size(self.m) for f in FORMS])[self.grid.form]
        found = np.full((len(rows), 2, self.G), np.inf)
        last = int(np.flatnonzero(self.grid.alpha == 1.0)[0])  # the last value repeated
        if n < 3:
            found[:, 0, last] = 0.0
            return found
        free = n - sizes - 1
        fits = (free > 0) & (self.t >= self.warm)
        penalty = 2 * sizes + 2 * sizes * (sizes + 1) / np.maximum(free, 1)
        least = 1e-300
        for k in (0, 1):
            sse = self.sse[rows + k * self.R]
            with np.errstate(invalid="ignore"):
                likelihood = n * np.log(np.maximum(sse, least) / n)
            if k:
                likelihood = likelihood + 2 * self.logs[rows, None]
            found[:, k] = np.where(fits & np.isfinite(likelihood), likelihood + penalty, np.inf)
        # A series too short for any penalty: the last value.
        none = ~np.isfinite(found).any((1, 2))
        found[none, 0, last] = 0.0
        return found

    def _ahead(self, views: Ints, member: Ints, H: int) -> Floats:
        """States drawn on, [n, H], in the units of the view."""
        phi = self.grid.phi[member][:, None]
        damped = np.cumsum(phi ** np.arange(1, H + 1), 1)
        made: Floats = (
            self.level[views, member][:, None] + self.trend[views, member][:, None] * damped
        )
        seasonal = member >= self.plain
        if seasonal.any():
            slots = (self.t + np.arange(H)) % self.m
            chosen = self.season[slots[:, None], views[None], (member - self.plain)[None]]
            made[seasonal] += chosen.T[seasonal]
        return made

    def _values(self, made: Floats, log: Ints, rows: Ints) -> Floats:
        """The units of the data. Logarithms stay within what a series twice as wild would reach."""
        seen = self.z[rows + self.R, : self.t]
        if not log.any():
            return made
        with np.errstate(all="ignore"):
            top = seen.max(1) + np.maximum(seen.max(1) - seen.min(1), 1.0)
        taken = log == 1
        made[taken] = np.exp(np.minimum(made[taken], top[taken, None]))
        return made


class _Lines:
    """Slopes of the least-squares lines through all values so far, [V]."""

    def __init__(self, V: int) -> None:
        self.n, self.y, self.ty = 0, np.zeros(V), np.zeros(V)

    def step(self, value: Floats) -> None:
        self.y += value
        self.ty += self.n * value
        self.n += 1

    def slope(self, views: Ints) -> Floats:
        n = self.n
        if n < WARM:
            return np.zeros(len(views))
        middle = (n - 1) / 2
        spread = n * (n * n - 1) / 12
        found: Floats = (self.ty[views] - middle * self.y[views]) / spread
        return found
