"""The seasons that ES-RNN smooths, and how many values it reads for them."""

from __future__ import annotations

from collections.abc import Sequence

DAY = 24  # values from which a season is a day
LEAST = 12  # values of the past read at a step


def usual(season: int, room: int) -> tuple[int, ...]:
    """The seasons that are smoothed unless others are named; 1 for none.

    A season of a day or more, in hours or parts of one, comes with the week. `room` is how many
    values before the first forecast the shortest series has.
    """
    seasons = [season] if season < DAY else [season, 7 * season]
    return tuple(m for m in seasons if m > 1 and 3 * m + LEAST <= room) or (1,)


def fitting(seasons: Sequence[int], look_back: int) -> tuple[int, ...]:
    """The seasons, the shortest first, of which a window holds two and something to learn from."""
    return tuple(sorted({m for m in seasons if m > 1 and 2 * m + LEAST <= look_back}))


def window(seasons: Sequence[int], horizon: int, room: int) -> int:
    """How many values a network that smooths these seasons reads: twice what it begins with."""
    return max(1, min(room, max(4 * max(seasons), 2 * horizon, 4 * LEAST)))
