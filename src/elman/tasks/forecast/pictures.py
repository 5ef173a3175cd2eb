"""Forecasts beside what came, and the error by how far ahead it was forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman.tasks import drawing
from elman.tasks.forecast.data import Panel
from elman.tasks.forecast.intervals.conformal import levels, pairs
from elman.tasks.forecast.scores import point

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SHOWN = 6  # series
DRAWN = 5  # forecasts by their errors: the network's, and the nearest of the others
ROWS = 12  # steps ahead in the table


def step_table(errors: Mapping[str, Floats], percent: Floats) -> list[str]:
    """MASE of some steps ahead by name of the forecast, and MAPE, as lines of Markdown."""
    count = len(next(iter(errors.values())))
    steps = np.unique(np.linspace(0, count - 1, min(count, ROWS)).round().astype(int))
    lines = [
        f"| steps ahead | {' | '.join(errors)} | MAPE of the network |",
        "|---" * (len(errors) + 2) + "|",
    ]
    for k in steps:
        cells = " | ".join(f"{values[k]:.3f}" for values in errors.values())
        lines.append(f"| {k + 1} | {cells} | {percent[k]:.2f} % |")
    return lines


def draw(
    panel: Panel, windows: Ints, made: Floats, quantiles: Sequence[float],
    errors: Mapping[str, Floats], folder: Path,
) -> bool:  # fmt: skip
    """The last forecast of some series, and errors by step, forecast.png; False without matplotlib.

    `made` is [N, H, Q].
    """
    if not drawing.possible():
        return False
    from matplotlib.figure import Figure

    numbers = np.unique(windows[:, 0])
    numbers = numbers[np.linspace(0, len(numbers) - 1, min(len(numbers), SHOWN)).astype(int)]
    rows = -(-(len(numbers) + 1) // 2)
    figure = Figure(figsize=(11, 2.6 * rows), layout="constrained")
    places = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes, number in zip(places, numbers, strict=False):
        row = int(np.flatnonzero(windows[:, 0] == number)[-1])
        origin = int(windows[row, 1])
        ahead = np.arange(panel.settings.horizon)
        shown = min(origin, max(3 * panel.settings.horizon, 2 * panel.settings.season))
        past = panel.history(int(number), origin)[-shown:]
        axes.plot(np.arange(-shown, 0), past, color="tab:gray", lw=1)
        axes.plot(ahead, panel.values(windows[row : row + 1])[0], color="black", lw=1, label="came")
        middle = point(made[row : row + 1], quantiles)[0]
        axes.plot(ahead, middle, color="tab:blue", lw=1.5, label="forecast")
        for low, high in pairs(levels(quantiles)) if made.shape[2] > 1 else []:
            axes.fill_between(
                ahead, made[row, :, low], made[row, :, high], color="tab:blue", alpha=0.2, lw=0,
                label=f"{levels(quantiles)[high] - levels(quantiles)[low]:.0%} interval",
            )  # fmt: skip
        name = panel.collection.series[int(number)].name
        axes.set_title(drawing.plain(name), fontsize=9)
        axes.axvline(-0.5, color="lightgray", lw=0.8)
    places[0].legend(frameon=False, fontsize=8)
    last = places[len(numbers)]
    near = sorted(errors, key=lambda name: (name != "network", float(errors[name].mean())))
    for name in near[:DRAWN]:
        steps = np.arange(1, len(errors[name]) + 1)
        last.plot(steps, errors[name], label=name, lw=1.5)
    last.set_xlabel("steps ahead")
    last.set_ylabel("MASE")
    last.set_ylim(bottom=0)
    last.legend(frameon=False, fontsize=8)
    for axes in places[len(numbers) + 1 :]:
        axes.remove()
    drawing.save(figure, folder / "forecast.png", dpi=110)
    return True


def draw_intervals(
    panel: Panel, windows: Ints, made: Floats, quantiles: Sequence[float], folder: Path
) -> bool:
    """How often values lay below each quantile, beside how often they should, and in each interval
    by steps ahead: intervals.png. False without matplotlib, or without intervals in `made`."""
    if not drawing.possible() or made.shape[2] < 2:
        return False
    from matplotlib.figure import Figure

    y, told = panel.values(windows)[:, :, None], levels(quantiles)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0, 100], [0, 100], color="lightgray", lw=1)
    left.plot([100 * q for q in told], 100 * (y <= made).mean((0, 1)), "o-", lw=1.5)
    left.set_xlabel("should lie below the quantile, %")
    left.set_ylabel("lay below it, %")
    ahead = np.arange(1, made.shape[1] + 1)
    for k, (low, high) in enumerate(pairs(told)):
        held = (made[:, :, low] <= y[:, :, 0]) & (y[:, :, 0] <= made[:, :, high])
        wanted = 100 * (told[high] - told[low])
        marks = "o-" if len(ahead) == 1 else "-"
        right.plot(
            ahead, 100 * held.mean(0), marks, color=f"C{k}", label=f"{wanted:.3g} % interval"
        )
        right.axhline(wanted, color=f"C{k}", lw=1, ls=":")
    right.set_xlabel("steps ahead")
    right.set_ylabel("values held, %")
    right.set_ylim(0, 103)
    right.legend(frameon=False, fontsize=8)
    drawing.save(figure, folder / "intervals.png", dpi=110)
    return True
