"""Where small layers come to rest if their input stays the same."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from elman.inspection import pictures
from elman.inspection.section import Found, Section
from elman.inspection.subject import Subject
from elman.probe.fixed_points import LARGEST, FixedPoints, of_layer
from elman.wording import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STARTS = 8
AT_LEAST = 1.0  # seconds for each layer, whatever the others took
SHOWN = 6  # points in the table and the picture


def find(subject: Subject) -> Found | None:
    """None where every layer is too wide."""
    small = [seen for seen in subject.passes if seen.hidden_size <= LARGEST]
    if not small:
        return None
    results = []
    for k, seen in enumerate(small):
        seconds = max(AT_LEAST, subject.seconds / (len(small) - k))
        results.append(of_layer(seen, starts=STARTS, seconds=seconds))
    known = [result for result in results if result.points]
    return Found(
        [result.told() for result in results],
        _table(known),
        [m for result in known for m in result.measured()],
        functools.partial(draw, known) if known else None,
        "Eigenvalues of the Jacobian at the points found, the slowest first, beside the unit "
        "circle: inside it a change fades, outside it grows.",
    )


def _table(results: Sequence[FixedPoints]) -> list[str]:
    rows = [
        "| layer | point | from | spectral radius | ways out | back to 1/e | one turn |",
        "|---|---|---|---|---|---|---|",
    ]
    for result in results:
        for point in result.points[:SHOWN]:
            kind = point.kind if point.fixed else f"slow, {point.speed:.2g} a step"
            back = "never" if math.isinf(point.steps_back) else f"{point.steps_back:.1f} steps"
            turn = "none" if math.isinf(point.turn) else f"{point.turn:.1f} steps"
            rows.append(
                f"| {result.name} | {kind} | {counted(point.starts, 'state')} | "
                f"{point.radius:.3f} | {point.unstable} | {back} | {turn} |"
            )
    return rows


def draw(results: Sequence[FixedPoints]) -> Figure:
    """Eigenvalues in the complex plane, a panel for each layer."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * len(results) + 0.6, 3.8), layout="constrained")
    panels = figure.subplots(1, len(results), squeeze=False)[0]
    circle = np.exp(1j * np.linspace(0, 2 * np.pi, 200))
    marks = ("o", "x", "^", "s", "+", "d")
    for panel, result in zip(panels, results, strict=True):
        panel.plot(circle.real, circle.imag, color="black", lw=0.8)
        for k, point in enumerate(result.points[:SHOWN]):
            values = point.eigenvalues
            name = point.kind if point.fixed else "slow"
            face = "none" if marks[k] in "o^sd" else pictures.COLOURS[k]
            panel.scatter(
                values.real, values.imag, s=14, marker=marks[k], label=name, lw=0.8,
                facecolors=face, **({"edgecolors": pictures.COLOURS[k]} if face == "none" else {}),
            )  # fmt: skip
        panel.set_aspect("equal", adjustable="datalim")
        pictures.tidy(panel, "real part", "imaginary part", result.name)
        panel.legend(frameon=False, fontsize=8)
    return figure


SECTION = Section("fixed_points", "Fixed points", 7, 1.0, find)
