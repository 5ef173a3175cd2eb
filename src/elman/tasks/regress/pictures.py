"""What a regressor tells beside what was measured, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.tasks import drawing
from elman.tasks.regress.scores import Errors

SEQUENCES, TARGETS = 4, 4  # at most, in the picture
LISTED = 30  # targets in the table

Values = NDArray[np.float64]


def target_table(names: Sequence[str], own: Errors, one_step: Errors | None) -> list[str]:
    """The errors of each target, as lines of Markdown; those of one step beside, if there are."""
    heads = ["rmse", "mae", "r2"]
    if one_step is not None:
        heads += [f"{head}, one step" for head in heads]
    lines = [f"| target | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
    for k, name in enumerate(names[:LISTED]):
        numbers = [*(part[k] for part in own), *(part[k] for part in one_step or ())]
        cells = " | ".join(f"{number:.4g}" for number in numbers)
        named = name.replace("|", "\\|")
        lines.append(f"| {named} | {cells} |")
    return lines


def draw(
    names: Sequence[str], told: Sequence[Values], true: Sequence[Values], where: Sequence[str],
    folder: Path,
) -> bool:  # fmt: skip
    """predictions.png: curves [T, O] of the first sequences, or points of all values [O]; False
    without matplotlib."""
    if not drawing.possible():
        return False
    from matplotlib.figure import Figure

    shown = min(len(names), TARGETS)
    curves = told[0].ndim == 2
    across = min(len(told), SEQUENCES) if curves else shown
    down = shown if curves else 1
    figure = Figure(figsize=(1 + 3.2 * across, 0.8 + 2.4 * down), layout="constrained")
    axes: Any = figure.subplots(down, across, squeeze=False)
    for i, j in np.ndindex(down, across):
        place = axes[i, j]
        if curves:
            place.plot(true[j][:, i], color="gray", lw=2.5, alpha=0.5, label="true")
            place.plot(told[j][:, i], color="tab:blue", lw=1, label="predicted")
            if i == 0:
                place.set_title(drawing.plain(where[j]), fontsize=8)
            if i == down - 1:
                place.set_xlabel("step")
            if j == 0:
                place.set_ylabel(drawing.plain(names[i]))
            continue
        points = [v[j] for v in true], [v[j] for v in told]
        ends = [min(map(min, points)), max(map(max, points))]
        place.plot(ends, ends, color="lightgray", lw=1)
        place.plot(*points, ".", ms=4, color="tab:blue")
        place.set_title(drawing.plain(names[j]), fontsize=8)
        place.set_xlabel("true")
        place.set_ylabel("predicted")
    if curves:
        axes[0, 0].legend(frameon=False, fontsize=8)
    drawing.save(figure, folder / "predictions.png")
    return True
