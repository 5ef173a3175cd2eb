"""What follows series, a row for each step ahead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray
from torch import nn

from elman.data.tables.content import BadRows
from elman.data.tables.writer import Writer
from elman.data.time_series.series import Collection, places_to
from elman.tasks.forecast.intervals.conformal import levels
from elman.tasks.forecast.mixing.mixture import forecasts
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.forecast.reading import unseen
from elman.tasks.forecast.scores import point
from elman.tasks.task import Kept


def predict(
    model: nn.Module, kept: Kept, options: ForecastOptions, device: str, data: Sequence[str],
    out: TextIO, bad: BadRows,
) -> None:  # fmt: skip
    there = unseen(data, kept, bad, ahead=True)
    made, _ = forecasts(model, there, there.check, device)
    rows = answers(there.collection, made, options.quantiles)
    writer = Writer(out, there.collection.form, tuple(rows[0]), header=True)
    for row in rows:
        writer.write(row)


def answers(
    found: Collection, made: NDArray[np.float64], quantiles: Sequence[float]
) -> list[dict[str, Any]]:
    """A row for each forecast [S, H, Q] of what follows these series: id, time, forecast, and its
    quantiles, as columns q0.1, …, or the ends of an interval of 80 %."""
    rows = []
    for one, steps in zip(found.series, made, strict=True):
        ids = dict(zip(found.id_columns, one.ids, strict=True))
        places = places_to(one, found.grid, len(one) + len(steps))[len(one) :]
        for place, values in zip(places.tolist(), steps, strict=True):
            row = {**ids, **found.time_cells(place), **told(values, quantiles)}
            rows.append(row)
    return rows


def told(values: NDArray[np.float64], quantiles: Sequence[float]) -> dict[str, float]:
    """A forecast and its quantiles [Q] by the names of their columns."""
    cells = {"forecast": _rounded(float(point(values[None, None], quantiles)[0, 0]))}
    if len(values) > 1:
        names = [f"q{q:g}" for q in levels(quantiles)]
        cells |= dict(zip(names, map(_rounded, values.tolist()), strict=True))
    if not quantiles:
        cells.pop("q0.5", None)  # that is the forecast
    return cells


def _rounded(value: float) -> float:
    """Seven digits, as many as a network has."""
    return float(f"{value:.7g}")
