"""What the pictures of a page share: lines that can be told apart in grey, and bands of spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
# Dark to light, each with a dash of its own: they stay apart in grey.
COLOURS = ("#08306b", "#b5651d", "#2a7f62", "#8b1a4f", "#5b5b5b", "#4c9be8")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))


def line(panel: Axes, number: int, x: Sequence[float] | Floats, y: Floats, label: str) -> None:
    """The line of that number among others."""
    panel.plot(
        x, y, color=COLOURS[number % len(COLOURS)], ls=DASHES[number % len(DASHES)], lw=1.6,
        label=label,
    )  # fmt: skip


def band(panel: Axes, number: int, x: Sequence[float] | Floats, low: Floats, high: Floats) -> None:
    """The spread about that line."""
    panel.fill_between(x, low, high, color=COLOURS[number % len(COLOURS)], alpha=0.15, lw=0)


def tidy(panel: Axes, x: str, y: str, title: str = "") -> None:
    """Names of the axes, a light grid, no box."""
    panel.set_xlabel(x)
    panel.set_ylabel(y)
    if title:
        panel.set_title(title, fontsize=10, loc="left")
    panel.grid(alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)
