"""Which classes are taken for one another, and how sure answers are, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman.tasks import drawing

SHOWN = 30  # classes


def draw(
    confusion: NDArray[np.int64], classes: Sequence[str], confidence: NDArray[np.float64],
    hit: NDArray[np.bool_], folder: Path,
) -> bool:  # fmt: skip
    """The confusion matrix and the calibration, confusion.png; False without matplotlib."""
    if not drawing.possible():
        return False
    from matplotlib.figure import Figure

    shown = np.sort(np.argsort(-confusion.sum(1), kind="stable")[:SHOWN])
    counts = confusion[np.ix_(shown, shown)]
    shares = counts / np.maximum(confusion[shown].sum(1, keepdims=True), 1)
    names = [drawing.plain(classes[k]) for k in shown]
    side = max(4.0, 0.4 * len(shown))
    figure = Figure(figsize=(side + 4.5, side + 0.5), layout="constrained")
    matrix, curve = figure.subplots(1, 2, width_ratios=(side, 3.5))
    matrix.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    crowded = max(map(len, names)) * len(names) > 10 * side
    matrix.set_xticks(range(len(names)), names, rotation=90 if crowded else 0)
    matrix.set_yticks(range(len(names)), names)
    matrix.set_xlabel("predicted")
    matrix.set_ylabel("true")
    if len(names) <= 15:
        for (i, j), count in np.ndenumerate(counts):
            if count:
                color = "white" if shares[i, j] > 0.5 else "black"
                matrix.text(j, i, f"{count:,}", ha="center", va="center", color=color, fontsize=8)
    bins = np.minimum((confidence * 10).astype(int), 9)
    filled = [k for k in range(10) if (bins == k).any()]
    curve.plot([0, 1], [0, 1], color="lightgray", lw=1)
    sure = [confidence[bins == k].mean() for k in filled]
    right = [hit[bins == k].mean() for k in filled]
    counts_in = np.array([(bins == k).sum() for k in filled])
    curve.plot(sure, right, lw=1, color="tab:blue")
    curve.scatter(  # the area of a dot is as that of how many stand behind it
        sure, right, s=12 + 150 * counts_in / counts_in.sum(), color="tab:blue", clip_on=False,
        zorder=3,
    )  # fmt: skip
    curve.set_xlabel("confidence")
    curve.set_ylabel("accuracy")
    curve.set_aspect("equal")
    curve.set_xlim(0, 1)
    curve.set_ylim(0, 1)
    drawing.save(figure, folder / "confusion.png")
    return True
