"""Pictures of a study: which options mattered, each by itself, and all together.

Optuna's own are drawn with labels over one another and cut off; here only its importances are used
(PED-ANOVA, Watanabe and others 2023, arXiv:2304.10255).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from elman import metrics
from elman.errors import UserError
from elman.run import files
from elman.tasks import drawing
from elman.tune.result import told
from elman.tune.space import Axis
from elman.tune.study import REPORT, Search

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, ACCENT, FAINT = "#333333", "#c0392b", "#bbbbbb"
FEWEST = 3  # trials that are drawn
COLUMNS = 4  # slices side by side


@dataclass(frozen=True)
class Drawn:
    """The trials that ended with a value, and the axes on which they differ."""

    score: str
    axes: tuple[Axis, ...]
    params: tuple[Mapping[str, Any], ...]
    values: tuple[float, ...]  # scores, of trial 0, the default, first

    @property
    def best(self) -> int:
        higher = self.score in metrics.HIGHER
        return self.values.index(max(self.values) if higher else min(self.values))

    @property
    def wanted(self) -> str:
        more = "more" if self.score in metrics.HIGHER else "less"
        return f"{self.score.replace('_', ' ')}, {more} is better"


def check() -> None:
    """UserError: matplotlib is not installed."""
    if not drawing.possible():
        raise UserError("--report: pictures need matplotlib: pip install 'elman[plot]'")


def write(search: Search) -> list[str]:
    """importance.png, slices.png and parallel.png in the study's folder; the names of those that
    could be drawn, which needs a few trials that have ended."""
    found = _drawn(search)
    if len(found.values) < FEWEST or not found.axes:
        return []
    place = search.path / REPORT
    pictures = {
        "importance.png": _importance(search, found), "slices.png": _slices(found),
        "parallel.png": _parallel(found),
    }  # fmt: skip
    with files.writing(place):
        place.mkdir(exist_ok=True)
        for name, figure in pictures.items():
            drawing.save(figure, place / name)
    return list(pictures)


def _drawn(search: Search) -> Drawn:
    from optuna.trial import TrialState

    ended = search.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    params = [search.plan.default if t.number == 0 else t.params for t in ended]
    axes = [a for a in search.plan.axes if len({p.get(a.name) for p in params}) > 1]
    values = [t.value for t in ended if t.value is not None]
    return Drawn(search.plan.score, tuple(axes), tuple(params), tuple(values))


def _importance(search: Search, found: Drawn) -> Figure:
    from matplotlib.figure import Figure
    from optuna.importance import get_param_importances

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna tells of features that may change
        known = get_param_importances(search.study, params=[axis.name for axis in found.axes])
    shares = sorted(known.items(), key=lambda item: item[1])
    figure = Figure(figsize=(7, 1.2 + 0.4 * len(shares)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh([name for name, _ in shares], [share for _, share in shares], color=ACCENT)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set_xlim(0, 1.1 * max(share for _, share in shares) or 1)
    axes.set_xlabel(
        f"importance for {found.score.replace('_', ' ')}, of {len(found.values)} trials"
    )
    _quiet(axes)
    return figure


def _slices(found: Drawn) -> Figure:
    """The score over each option by itself."""
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(found.axes))
    rows = -(-len(found.axes) // columns)
    figure = Figure(figsize=(2.8 * columns + 0.6, 2.6 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for place, axis in zip(grid.flat, found.axes, strict=False):
        _slice(place, axis, found)
    for place in grid.flat[len(found.axes) :]:
        place.set_visible(False)
    figure.supylabel(found.wanted, fontsize=9)
    return figure


def _slice(axes: Axes, axis: Axis, found: Drawn) -> None:
    points = [
        (params[axis.name], value, k)
        for k, (params, value) in enumerate(zip(found.params, found.values, strict=True))
        if params.get(axis.name) is not None
    ]
    for x, y, k in points:
        place = axis.choices.index(x) if axis.choices and x in axis.choices else x
        if isinstance(place, str):
            continue
        best = k == found.best
        axes.plot(place, y, "o", color=ACCENT if best else INK, alpha=1 if best else 0.5, ms=5)
    if axis.choices:
        axes.set_xticks(range(len(axis.choices)), axis.choices, rotation=20)
        axes.set_xlim(-0.5, len(axis.choices) - 0.5)
    elif axis.log:
        _log_ticks(axes, [float(x) for x, _, _ in points] + [axis.low, axis.high])
    elif axis.whole:
        axes.locator_params(axis="x", integer=True, nbins=4)
    axes.set_xlabel(axis.name)
    _quiet(axes)


def _log_ticks(axes: Axes, values: Sequence[float]) -> None:
    """A log scale with three numbers on it, as more of them would overlap."""
    from matplotlib.ticker import FixedLocator, NullLocator

    low, high = min(values), max(values)
    axes.set_xscale("log")
    axes.set_xlim(low / 1.2, 1.2 * high)
    ticks = [low, math.sqrt(low * high), high]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{tick:.2g}" for tick in ticks])


def _parallel(found: Drawn) -> Figure:
    """A line a trial through all its values, the best one in colour."""
    from matplotlib.figure import Figure

    names = [axis.name for axis in found.axes]
    figure = Figure(figsize=(1.5 * (len(names) + 1) + 1, 4.2), layout="constrained")
    axes = figure.subplots()
    order = sorted(range(len(found.values)), key=lambda k: k == found.best)
    low, high = min(found.values), max(found.values)
    for k in order:
        heights = [_height(axis, found.params[k].get(axis.name)) for axis in found.axes]
        heights.append((found.values[k] - low) / ((high - low) or 1))
        best = k == found.best
        axes.plot(heights, color=ACCENT if best else INK, alpha=1 if best else 0.3,
                  lw=2 if best else 1, zorder=3 if best else 2)  # fmt: skip
    ends = [_ends(axis) for axis in found.axes]
    ends.append({0.0: f"{low:.4g}", 1.0: f"{high:.4g}"})
    for x, marks in enumerate(ends):
        axes.axvline(x, color=FAINT, lw=1, zorder=1)
        for height, text in marks.items():
            axes.annotate(text, (x, height), xytext=(3, 4), textcoords="offset points", fontsize=8)
    axes.set_xticks(range(len(ends)), [*names, found.score.replace("_", " ")], fontsize=9)
    axes.set_yticks([])
    axes.set_xlim(-0.2, len(ends) - 0.4)
    axes.set_ylim(-0.05, 1.1)
    axes.set_title(f"{len(found.values)} trials; in colour the best; {found.wanted}", fontsize=9)
    axes.spines[:].set_visible(False)
    return figure


def _height(axis: Axis, value: Any) -> float:
    """Where a value stands on its axis, from 0 to 1; outside where it is the default's."""
    if axis.choices:
        last = len(axis.choices) - 1
        return axis.choices.index(value) / last if value in axis.choices else math.nan
    if value is None:
        return math.nan
    low, high, at = axis.low, axis.high, float(value)
    if axis.log:
        low, high, at = math.log(low), math.log(high), math.log(at)
    return min(1.04, max(-0.04, (at - low) / (high - low)))


def _ends(axis: Axis) -> dict[float, str]:
    """What stands beside an axis, by height."""
    if axis.choices:
        return {_height(axis, choice): choice for choice in axis.choices}
    return {0.0: told(axis.low), 1.0: told(axis.high)}


def _quiet(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#eeeeee")
    axes.set_axisbelow(True)
