"""A comparison as files: one table, one picture, and both as JSON."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from elman import metrics
from elman.comparison.place import PAGE, PICTURE, RESULT
from elman.comparison.result import Result, as_record, notes, table
from elman.run import files
from elman.tasks import drawing, naming

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, ACCENT, FAINT = "#333333", "#c0392b", "#bbbbbb"


def write(result: Result, command: str) -> None:
    """comparison.json, comparison.md and, where matplotlib is installed, comparison.png."""
    path = result.comparison.path
    files.replace(path / RESULT, json.dumps(as_record(result), indent=1, ensure_ascii=False))
    drawn = bool(result.score) and drawing.possible()
    if drawn:
        _draw(result)
    files.replace(path / PAGE, _page(result, command, drawn=drawn))


def title(result: Result) -> str:
    """What was compared, on what."""
    asked = result.comparison.asked
    what = "cells" if asked.question.name == "cell" else asked.question.name.replace("_", " ")
    names = [item if item.startswith("name:") else Path(item).name for item in asked.data]
    on = f" on {naming.shown(names)}" if names else ""
    return f"{what.capitalize()} compared: {asked.task}{on}, equal {asked.equal}"


def _page(result: Result, command: str, *, drawn: bool) -> str:
    heads, rows = table(result)
    lines = [f"# {title(result)}", "", f"    {command}", ""] if command else [
        f"# {title(result)}", ""]  # fmt: skip
    lines += ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    lines += ["", *(f"- {note}" for note in notes(result))]
    if drawn:
        lines += ["", f"![scores and differences]({PICTURE})"]
    return "\n".join(lines) + "\n"


def command_of(arguments: list[str]) -> str:
    """The command line as it can be given again."""
    return shlex.join(["elman", *arguments])


def _draw(result: Result) -> None:
    """Left every run's score, right the differences from the first variant, a row for each."""
    from matplotlib.figure import Figure

    count = len(result.rows)
    figure = Figure(figsize=(9, 1.6 + 0.42 * count), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    names = [drawing.plain(row.variant.name) for row in result.rows]
    _scores(left, result)
    _differences(right, result)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color="#eeeeee")
        axes.set_axisbelow(True)
    left.set_yticks(range(count), names)
    left.set_ylim(count - 0.4, -0.6)
    figure.suptitle(drawing.plain(title(result)), fontsize=10)
    drawing.save(figure, result.comparison.path / PICTURE)


def _scores(axes: Axes, result: Result) -> None:
    for k, row in enumerate(result.rows):
        values = list(row.by_seed(result.score).values())
        if values:
            axes.plot(values, [k] * len(values), "o", color=INK, alpha=0.55, ms=5, mew=0)
            axes.plot([sum(values) / len(values)], [k], "|", color=ACCENT, ms=16, mew=2)
    wanted = "more" if result.score in metrics.HIGHER else "less"
    axes.set_xlabel(f"{result.score.replace('_', ' ')}, {wanted} is better; dots: runs, bar: mean")


def _differences(axes: Axes, result: Result) -> None:
    axes.axvline(0, color=FAINT, lw=1)
    for k, row in enumerate(result.rows):
        d = row.difference
        if d is None:
            continue
        axes.plot([d.mean], [k], "o", color=ACCENT, ms=5)
        if d.low is not None and d.high is not None:
            axes.plot([d.low, d.high], [k, k], color=ACCENT, lw=3, solid_capstyle="butt")
        if d.low_together is not None and d.high_together is not None:
            axes.plot([d.low_together, d.high_together], [k, k], color=ACCENT, lw=1)
    first = drawing.plain(result.rows[0].variant.name)
    axes.set_xlabel(f"minus {first}; 95 %: thick alone, thin all together")
