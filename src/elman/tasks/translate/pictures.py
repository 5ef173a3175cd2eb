"""Where attention looks: a matrix for each of a few sentences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman.tasks import drawing
from elman.tasks.translate.data import Encoder, Ints
from elman.tasks.translate.writing import Translation


class Looked(NamedTuple):
    """A translation, and the share of each source token at each of its tokens [T, S]."""

    source: list[str]
    target: list[str]
    shares: NDArray[np.float32]


def looked(encoder: Encoder, source: Ints, best: Translation) -> Looked:
    """Tokens of both sides of a translation that kept its attention; the end of the source, whose
    ids [S] these are, is a stop."""
    assert best.attention is not None
    symbols = [*(encoder.source.symbol(int(t)) for t in source[:-1]), "■"]
    target = [encoder.target.symbol(t) for t in best.tokens]
    return Looked(symbols, target, best.attention.numpy())


def draw(sentences: Sequence[Looked], path: Path) -> bool:
    """A picture with a matrix for each sentence; False without matplotlib.

    As an SVG whose letters stay letters, so that whoever looks at it has fonts for every script.
    """
    if not drawing.possible():
        return False
    import logging

    import matplotlib as mpl
    from matplotlib.figure import Figure

    heights = [0.26 * len(s.target) + 1.2 for s in sentences]
    widest = max(len(s.source) for s in sentences)
    figure = Figure(figsize=(0.36 * widest + 2.4, sum(heights)), layout="constrained")
    axes = figure.subplots(len(sentences), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axis, (source, target, shares) in zip(axes, sentences, strict=True):
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axis.set_xticks(range(len(source)), source, rotation=45, ha="left")
        axis.set_yticks(range(len(target)), target)
        axis.xaxis.tick_top()
        axis.tick_params(length=0)
        axis.set_xlim(-0.5, widest - 0.5)
        for side in axis.spines.values():
            side.set_visible(False)
    fonts = logging.getLogger("matplotlib.font_manager")
    level = fonts.level
    fonts.setLevel(logging.ERROR)  # what this machine's fonts lack, the reader's may have
    try:
        import warnings

        with mpl.rc_context({"svg.fonttype": "none"}), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph")
            drawing.save(figure, path, dpi=100)
    finally:
        fonts.setLevel(level)
    return True
