"""The lesson as one picture: a row for each problem; gradients by lag, losses, sizes of updates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from elman.inspection.lesson.lesson import Taught
from elman.inspection.lesson.training import Seen, Trained
from elman.inspection.pictures import COLOURS, tidy
from elman.tasks import drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST, MOST = 1e-12, 1e6  # shares that are shown


def draw(taught: Taught, path: Path) -> None:
    """The picture, written to `path`."""
    from matplotlib.figure import Figure

    problems = list(dict.fromkeys(one.problem.name for one in taught.trained))
    figure = Figure(figsize=(15, 1.2 + 3.6 * len(problems)), layout="constrained")
    panels = figure.subplots(len(problems), 4, squeeze=False)
    for row, problem in zip(panels, problems, strict=True):
        found = taught.of(problem)
        _lags(row[0], [(one, one.before) for one in found], f"{problem}: before training")
        _lags(row[1], [(one, one.after) for one in found if not one.failed_at], "after training")
        _losses(row[2], found)
        simple = [one for one in found if one.contestant.cell == "rnn"]
        _norms(row[3], simple or found, _cells(found), taught.lesson.clip)
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(
        f"Gradients through {taught.lesson.steps} steps, {taught.lesson.hidden_size} units, "
        f"{taught.lesson.updates} updates",
        fontsize=11,
    )
    drawing.save(figure, path)


def _lags(panel: Axes, found: Sequence[tuple[Trained, Seen]], title: str) -> None:
    order = _cells([one for one, _ in found])
    for one, seen in found:
        share = seen.flow.share_by_lag().values
        shown = np.where((share >= LEAST) & (share <= MOST), share, np.nan)
        _line(panel, one, order, np.arange(len(share)), shown)
    panel.axhline(1, color="#999999", lw=0.8)
    panel.axhline(0.01, color="#999999", lw=0.8, ls=":")
    panel.set_yscale("log")
    tidy(panel, "steps back from the answer", "gradient, as a share", title)


def _losses(panel: Axes, found: Sequence[Trained]) -> None:
    order = _cells(found)
    for one in found:
        smooth = _smooth(np.array(one.losses))
        _line(panel, one, order, np.arange(1, len(smooth) + 1), smooth)
    guess = found[0].problem.guess
    _mark(panel, guess, "a guess")
    panel.set_ylim(0, 1.5 * guess)
    tidy(panel, "updates", found[0].problem.unit, "loss")


def _norms(panel: Axes, found: Sequence[Trained], order: Sequence[str], clip: float) -> None:
    for one in found:
        _line(panel, one, order, np.arange(1, len(one.norms) + 1), np.array(one.norms))
    _mark(panel, clip, "clipped to")
    panel.set_yscale("log")
    tidy(panel, "updates", "norm", "gradient of the weights, unclipped")


def _line(
    panel: Axes, one: Trained, order: Sequence[str], x: NDArray[np.int64], y: NDArray[np.float64]
) -> None:
    """A colour for each cell, a dash for how it starts and is trained."""
    who = one.contestant
    colour = COLOURS[order.index(who.cell) % len(COLOURS)]
    dash = "--" if who.open else "-" if who.radius is None else "-." if who.clip is None else ":"
    wide = 1.8 if who.radius is None else 1.2
    panel.plot(x, y, color=colour, ls=dash, lw=wide, label=who.name)


def _cells(found: Sequence[Trained]) -> list[str]:
    """The cells in the order in which they were asked for."""
    return list(dict.fromkeys(one.contestant.cell for one in found))


def _mark(panel: Axes, at: float, text: str) -> None:
    panel.axhline(at, color="#999999", lw=0.8, ls=":")
    panel.annotate(text, (0.99, at), xycoords=("axes fraction", "data"), fontsize=8, ha="right",
                   va="bottom", color="#666666")  # fmt: skip


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A running mean over the last twentieth of the updates."""
    width = max(1, len(values) // 20)
    sums = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - width)
    found: NDArray[np.float64] = (sums[ends] - sums[starts]) / (ends - starts)
    return found
