"""How much a piece repeats itself: runs that stood before in it, and loops in which it is caught.

What is repeated are onsets: the pitches that begin together, and how long it is to the next ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from elman.data.symbolic.piece import Piece

RUN = 8  # onsets: shorter runs come again in any piece
LONGEST_PERIOD = 128  # onsets of what a loop repeats

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Repetition:
    """`share` of the runs of `RUN` onsets that stood before in the piece. The longest loop, in
    which the same onsets come at least twice on end, takes `loop_quarters`; what it repeats takes
    `period_quarters`, 0 where there is no loop. `quarters` is how long the piece is."""

    share: float
    loop_quarters: float
    period_quarters: float
    quarters: float

    @property
    def looped(self) -> float:
        """The share of the piece that its longest loop takes."""
        return self.loop_quarters / self.quarters if self.quarters else 0.0


def repetition(piece: Piece) -> Repetition:
    """Of all notes of a piece, drums too."""
    notes = sorted(
        (n.start, n.pitch + 128 * t.is_drum) for t in piece.tracks for n in t.notes
    )  # fmt: skip
    groups = [(tick, tuple(p for _, p in some)) for tick, some in groupby(notes, lambda n: n[0])]
    onsets = np.array([tick for tick, _ in groups] + [piece.length], np.int64)
    events = [
        (pitches, after - tick) for (tick, pitches), after in zip(groups, onsets[1:], strict=True)
    ]
    numbers: dict[object, int] = {}
    ids = np.array([numbers.setdefault(event, len(numbers)) for event in events], np.int64)
    start, stop, period = longest_loop(ids)
    ticks = piece.division
    return Repetition(
        repeated(ids, RUN),
        float(onsets[stop] - onsets[start]) / ticks if period else 0.0,
        float(onsets[start + period] - onsets[start]) / ticks if period else 0.0,
        piece.length / ticks,
    )


def repeated(ids: Ints, run: int) -> float:
    """The share of the runs of so many ids that stood before; 0 where there are none."""
    runs = [tuple(ids[k : k + run].tolist()) for k in range(len(ids) - run + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def longest_loop(ids: Ints) -> tuple[int, int, int]:
    """Where the longest stretch begins and ends that repeats its first `period` ids, at least twice
    on end, and that period, the shortest one; all 0 where there is none."""
    best = (0, 0, 0)
    for period in range(1, min(LONGEST_PERIOD, len(ids) // 2) + 1):
        same = ids[:-period] == ids[period:]
        edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]])))
        for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            if end - first >= period and end + period - first > best[1] - best[0]:
                best = (first, end + period, period)
    return best


def told(made: Sequence[Piece], known: Sequence[Piece]) -> str:
    """A line for the user: what pieces that were made repeat, beside beginnings of others."""
    own, other = ([repetition(piece) for piece in pieces] for pieces in (made, known))
    words = [
        f"{np.mean([r.share for r in some]):.0%} of runs of {RUN} onsets stood before in the "
        f"piece, the longest loop takes {np.mean([r.looped for r in some]):.0%} of it"
        for some in (own, other)
        if some
    ]
    return "Repetition, on average: " + "; of the beginnings of pieces held back ".join(words) + "."
