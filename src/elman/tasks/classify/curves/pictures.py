"""Sequences of numbers as a classifier read them, each with the stretch that decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman.tasks import drawing

CHANNELS = 8  # drawn of a sequence
LEAST = 0.05  # fall of a probability that the darkest ground stands for at least


@dataclass(frozen=True)
class Curve:
    """A sequence [T, I] in its own units, what it is and was read as, and how much each of its
    steps weighed [T]."""

    values: NDArray[np.float32]
    title: str
    right: bool
    weights: NDArray[np.float64]


def draw(curves: Sequence[Curve], folder: Path) -> bool:
    """All of them, stretches.png, the ground the darker the more a step weighed; False without
    matplotlib."""
    if not curves or not drawing.possible():
        return False
    from matplotlib.figure import Figure

    columns = min(2, len(curves))
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(5.5 * columns, 2.1 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    most = max(LEAST, *(float(curve.weights.max()) for curve in curves))
    ground = None
    for curve, panel in zip(curves, panels.flat, strict=False):
        values = curve.values[:, :CHANNELS]
        low, high = float(values.min()), float(values.max())
        room = 0.08 * (high - low) or 1.0
        ground = panel.imshow(
            np.maximum(curve.weights, 0)[None], cmap="YlOrRd", vmin=0, vmax=most, aspect="auto",
            alpha=0.75, extent=(-0.5, len(values) - 0.5, low - room, high + room),
        )  # fmt: skip
        one = values.shape[1] == 1
        marker = "." if len(values) <= 30 else None
        for channel in values.T:
            panel.plot(channel, lw=1, marker=marker, color="black" if one else None)
        panel.set_title(
            drawing.plain(curve.title),
            fontsize=9,
            color="black" if curve.right else "tab:red",
            loc="left",
        )
        panel.tick_params(labelsize=8)
        panel.xaxis.get_major_locator().set_params(integer=True)
    for panel in panels.flat[len(curves) :]:
        panel.set_axis_off()
    for panel in panels[-1]:
        panel.set_xlabel("step", fontsize=8)
    assert ground is not None
    bar = figure.colorbar(ground, ax=panels, shrink=0.8)
    bar.set_label("fall of the probability when hidden", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    drawing.save(figure, folder / "stretches.png")
    return True
