"""Forecasts that need no network, mixed with one: what follows a series, by its values alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from elman.export.onnx.runners.network import Array
from elman.tasks.forecast.simple.autoregression import autoregressed
from elman.tasks.forecast.simple.smoothing import LONGEST_SEASON, PIECE, smoothed

WEEK = 7  # days


def simple_forecast(kind: str, y: Array, season: int, horizon: int) -> Array:
    """What follows the values y [N] by a simple forecast of this name, [horizon]."""
    ahead = np.arange(1, horizon + 1)

    def last(values: int) -> Array:
        lag = values if len(y) >= values else 1
        return np.asarray(y[len(y) - lag + np.arange(horizon) % lag])

    def week() -> Array:
        return last(WEEK * season if len(y) >= WEEK * season else season)

    def regressed() -> Array:
        return np.asarray(autoregressed(y, season, horizon, np.array([len(y)]))[0])

    def line() -> Array:
        return np.asarray(y[-1] + (y[-1] - y[0]) / max(len(y) - 1, 1) * ahead)

    ways: dict[str, Callable[[], Array]] = {
        "last-value": lambda: last(1),
        "last-season": lambda: last(season),
        "last-week": week,
        "day-and-week": lambda: np.asarray((last(season) + week()) / 2),
        "drift": line,
        "mean": lambda: np.full(horizon, np.cumsum(y)[-1] / len(y)),
        "smoothing": lambda: both_smoothed(y, season, horizon)[0],
        "theta": lambda: both_smoothed(y, season, horizon)[1],
        "both": lambda: np.asarray(sum(both_smoothed(y, season, horizon)) / 2),
        "autoregression": regressed,
        "season-and-regression": lambda: np.asarray((last(season) + regressed()) / 2),
    }
    return ways[kind]()


def both_smoothed(y: Array, season: int, horizon: int) -> tuple[Array, Array]:
    """Exponential smoothing and Theta; of a long series a piece and what leads to it are read."""
    lead = max(500, 12 * season) if season <= LONGEST_SEASON else 500
    part = y[max(0, len(y) // PIECE * PIECE - lead) :]
    made = smoothed(part[None], season, horizon, np.array([0]), np.array([len(part)]))
    return made.ets[0], made.theta[0]
