"""When things happen in a piece: bars by its metres, seconds by its tempos."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise

from elman.data.symbolic.piece import Metre, Piece, Tempo

COMMON_TIME = Metre(0, 4, 4)
TEMPO = 120.0  # quarters a minute, where a piece tells none, as in MIDI


def bar_ticks(division: int, metre: Metre) -> float:
    """How many ticks a bar lasts."""
    return division * 4 * metre.beats / metre.unit


def bars(piece: Piece) -> Iterator[float]:
    """The ticks at which bars begin, up to the end; where there is a pickup it is not among them.

    A metre that changes within a bar ends it.
    """
    metres = [m for m in piece.metres if m.tick < piece.length] or [COMMON_TIME]
    begins = [float(piece.pickup), *(float(m.tick) for m in metres[1:]), float(piece.length)]
    for metre, (begin, end) in zip(metres, pairwise(begins), strict=True):
        ticks, k = bar_ticks(piece.division, metre), 0
        while begin + k * ticks < end:
            yield begin + k * ticks
            k += 1


def seconds(piece: Piece) -> Callable[[float], float]:
    """From a tick to its time in seconds."""
    tempos = [t for t in piece.tempos if t.tick > 0]
    first = [t for t in piece.tempos if t.tick <= 0]
    tempos = [Tempo(0, first[-1].quarters_per_minute if first else TEMPO), *tempos]
    ticks = [t.tick for t in tempos]
    rates = [60 / (piece.division * t.quarters_per_minute) for t in tempos]  # seconds a tick
    lasted = ((b - a) * rate for (a, b), rate in zip(pairwise(ticks), rates, strict=False))
    times = list(accumulate(lasted, initial=0.0))

    def at(tick: float) -> float:
        k = max(bisect_right(ticks, tick) - 1, 0)
        return times[k] + (tick - ticks[k]) * rates[k]

    return at
