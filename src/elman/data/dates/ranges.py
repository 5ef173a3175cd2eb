"""Cells that tell a span of time by its start and its end: such a cell stands for its start.

20.03.2021 23:00 - 21.03.2021 00:00   2020-01-06/2020-01-12   01.03.2021 00:00 - 01:00
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from elman.data.dates.styles import seen_in, time_in

MARKS: Final = (" - ", " – ", " — ", " ~ ", " to ", " bis ", " au ", " a ", " до ", "~", "–",
                "至", "から", "/", "-")  # fmt: skip
WIDE: Final = "～"  # as East Asian keyboards write ~, which it is read as


def halves(text: str, mark: str) -> tuple[str, str] | None:
    """What stands before and behind the mark in the middle; None where it is not in the middle."""
    parts = text.split(mark)
    if len(parts) % 2:
        return None
    middle = len(parts) // 2
    return mark.join(parts[:middle]).strip(), mark.join(parts[middle:]).strip()


def mark_of(text: str) -> str:
    """What parts the start of a span of time from its end; "" where a cell is none."""
    for mark in MARKS:
        both = halves(text, mark) if mark in text else None
        if both and len(both[0]) >= 6 and seen_in(both[0]) and (
            seen_in(both[1]) or time_in(both[1])
        ):  # fmt: skip
            return mark
    return ""


def starts(texts: Sequence[str], mark: str) -> list[str]:
    """The starts of spans; a text without the mark stands as it is."""
    made = []
    for text in texts:
        both = halves(text, mark)
        made.append(both[0] if both is not None and all(both) else text)
    return made
