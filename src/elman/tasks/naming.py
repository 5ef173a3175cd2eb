"""Data by its names: how messages call it, and how a run remembers where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def shown(data: Sequence[str]) -> str:
    """What messages call these items of data: the first, and how many more."""
    return data[0] + (f" and {len(data) - 1} more" if len(data) > 1 else "")


def lasting(path: Path | None) -> Path | None:
    """The same file, wherever the run is read again."""
    return path if path is None or str(path).startswith("name:") else path.absolute()
