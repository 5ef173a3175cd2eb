"""What the pictures of reports share: whether they can be drawn, names, and how they are kept."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHARP = 120  # dots an inch


def possible() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def plain(name: str) -> str:
    """Names that a font without Chinese can show: others by their code."""
    return name if name.isascii() else ascii(name)[1:-1]


def save(figure: Figure, path: Path, dpi: int = SHARP) -> None:
    """The figure as a picture, written beside `path` and renamed."""
    fresh = path.with_name(f".{path.stem}.new{path.suffix}")
    figure.savefig(fresh, dpi=dpi)
    fresh.replace(path)
