"""Text in pictures: letters of every script for which a font is there, and a box for the others."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Looked for in this order; matplotlib brings the first, systems some of the others.
FAMILIES = (
    "DejaVu Sans Mono", "Noto Sans Mono CJK SC", "Noto Sans CJK SC", "Source Han Sans SC",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Microsoft YaHei", "SimHei", "PingFang SC",
    "Hiragino Sans GB", "Arial Unicode MS",
)  # fmt: skip
MISSING = "□"
LONGEST = 3  # letters of a step that are shown


def families() -> list[str]:
    """Those that are installed."""
    return [name for name, _ in _fonts()]


def drawable(text: str) -> str:
    """The text with a box for each letter that no font has."""
    return "".join(letter if _has(letter) else MISSING for letter in text)


def step(panel: Axes, x: int, y: int, text: str, *, light: bool, boxed: bool = False) -> None:
    """What a step reads, in its cell of a grid; in white where the cell is dark."""
    box = {"boxstyle": "square,pad=0.1", "fc": "none", "lw": 0.7} if boxed else None
    panel.text(
        x, y, drawable(text[:LONGEST]), ha="center", va="center", family=families(),
        fontsize=7 if len(text) < 2 else 4, color="white" if light else "black", bbox=box,
        parse_math=False,
    )  # fmt: skip


@functools.cache
def _fonts() -> tuple[tuple[str, frozenset[int]], ...]:
    """Installed families, and the letters that each has."""
    from matplotlib import font_manager

    there = set(font_manager.get_font_names())
    return tuple(
        (name, frozenset(font_manager.get_font(font_manager.findfont(name)).get_charmap()))
        for name in FAMILIES
        if name in there
    )


def _has(letter: str) -> bool:
    return any(ord(letter) in letters for _, letters in _fonts())
