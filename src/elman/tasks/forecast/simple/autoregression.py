"""A linear autoregression: forecasts at every origin, its order chosen by what came before.

y_t = c + a_1 y_{t-1} + … + a_p y_{t-p}, by least squares over all values before the origin, of the
values or, where all are above 0, of their logarithms. Which of the two and which p, says AICc
(Hurvich and Tsai 1989, doi:10.1093/biomet/76.2.297). Forecasts are read back as values.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST = 26  # values read back
ALWAYS = 200  # values up to which every origin has a fit of its own
GROWTH = 1.05  # and beyond which one serves until there is so much more
SHORTEST = 12  # values, below which the last one is repeated


def autoregressed(y: Floats, season: int, horizon: int, origins: Ints) -> Floats:
    """What follows the first so many values [N] of y [T], as [N, H]."""
    P = max(3, min(MOST, season + 1)) if season > 1 else 12
    counts = _fitted_at(origins)
    made = np.repeat(y[origins - 1][:, None], horizon, 1)
    above = np.cumsum(y <= 0) == 0  # up to here all values are above 0
    with np.errstate(all="ignore"):
        logs = np.log(y)
    fits = {int(n): _fit(y, logs, bool(above[n - 1]), P, int(n)) for n in np.unique(counts)}
    chosen = [fits[int(n)].of(bool(above[o - 1])) for n, o in zip(counts, origins, strict=True)]
    for log, z in ((False, y), (True, logs)):
        at = np.array(
            [k for k, (of_log, a) in enumerate(chosen) if of_log == log and len(a)], dtype=np.int64
        )
        if len(at):
            coefficients = np.zeros((len(at), 1 + P))
            for row, k in enumerate(at):
                a = chosen[k][1]
                coefficients[row, : len(a)] = a
            made[at] = _ahead(z, log, coefficients, origins[at], P, horizon)
    return made


class Fit(NamedTuple):
    """c, a_1, … of values and of logarithms, empty where there is none, and which is better."""

    values: Floats
    logs: Floats
    by_logs: bool

    def of(self, above: bool) -> tuple[bool, Floats]:
        """Whether logarithms are read, and their numbers; they are not where a value is not above
        0, which may have come after the fit."""
        log = self.by_logs and above
        return log, self.logs if log else self.values


def _fitted_at(origins: Ints) -> Ints:
    """The number of values that each origin's coefficients are from."""
    far = np.maximum(origins / ALWAYS, 1.0)
    steps = np.floor(np.log(far) / np.log(GROWTH) + 1e-9)
    grown = np.floor(ALWAYS * GROWTH**steps).astype(np.int64)
    return np.where(origins <= ALWAYS, origins, np.minimum(grown, origins))


def _fit(y: Floats, logs: Floats, above: bool, P: int, n: int) -> Fit:
    """By the first `n` values."""
    none: Floats = np.zeros(0)
    if n < SHORTEST or not np.ptp(y[:n]):
        return Fit(none, none, False)
    P = min(P, n // 4)
    criterion, values = _least_squares(y[:n], P)
    if not above:
        return Fit(values, none, False)
    # The density of a value is that of its logarithm over the value.
    other, found = _least_squares(logs[:n], P)
    return Fit(values, found, other + 2 * float(logs[P:n].sum()) < criterion)


def _least_squares(z: Floats, P: int) -> tuple[float, Floats]:
    """The least AICc of all orders up to P, and the coefficients of that order."""
    rows = len(z) - P
    lags = np.lib.stride_tricks.sliding_window_view(z[:-1], P)[:rows, ::-1]
    middle, spread = z.mean(), z.std() or 1.0
    X = np.concatenate([np.ones((rows, 1)), (lags - middle) / spread], 1)
    X = np.concatenate([X, (z[P:, None] - middle) / spread], 1)
    gram = X.T @ X + 1e-8 * rows * np.eye(P + 2)
    # The last row of the Cholesky factor holds by how much each column lessens the squares.
    factor = np.linalg.cholesky(gram)
    squares = gram[-1, -1] - np.cumsum(factor[-1, :-1] ** 2)
    sizes = np.arange(1, P + 2) + 1  # with the deviation
    free = rows - sizes - 1
    likelihood = rows * np.log(np.maximum(squares, 1e-12) * spread**2 / rows)
    criterion = likelihood + 2 * sizes + 2 * sizes * (sizes + 1) / np.maximum(free, 1)
    order = int(np.where(free > 0, criterion, np.inf)[1:].argmin()) + 1
    scaled = np.linalg.solve(gram[: order + 1, : order + 1], gram[: order + 1, -1])
    a = scaled[1:]
    constant = middle * (1 - a.sum()) + spread * scaled[0]
    return float(criterion[order]), np.concatenate([[constant], a])


def _ahead(
    z: Floats, log: bool, coefficients: Floats, origins: Ints, P: int, horizon: int
) -> Floats:
    """Forecasts [N, H] by coefficients [N, 1 + P], within twice the range of what came before."""
    back = origins[:, None] - np.arange(1, P + 1)
    lags = np.where(back >= 0, z[np.maximum(back, 0)], 0.0)
    high, low = np.maximum.accumulate(z)[origins - 1], np.minimum.accumulate(z)[origins - 1]
    room = high - low
    made = np.empty((len(origins), horizon))
    for h in range(horizon):
        value = coefficients[:, 0] + (coefficients[:, 1:] * lags).sum(1)
        made[:, h] = np.clip(value, low - room, high + room)
        lags = np.concatenate([made[:, h : h + 1], lags[:, :-1]], 1)
    return np.exp(made) if log else made
