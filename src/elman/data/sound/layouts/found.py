"""What a layout gives: clips, and what was understood of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from elman.data.sound.clips import Clip
from elman.data.sound.columns import NO_COLUMNS, Columns


@dataclass(frozen=True)
class Found:
    """Clips as they are written, not looked at yet; `layout` is what people call it."""

    layout: str
    clips: list[Clip]
    facts: list[str] = field(default_factory=list)
    columns: Columns = NO_COLUMNS
    name_pattern: str | None = None
    warnings: list[str] = field(default_factory=list)


def plain(text: object) -> str:
    """A transcript with single spaces."""
    return " ".join(str(text).split())
