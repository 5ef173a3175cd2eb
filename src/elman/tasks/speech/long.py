"""Long recordings in pieces that a network reads whole, cut where it is quietest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from elman.tasks.speech.data import Floats

LONGEST = 30.0  # seconds of a piece
QUIET = 0.2  # seconds over which it is seen how quiet it is
SPAN = 0.5  # of a piece, at its end, where it may be cut


class Piece(NamedTuple):
    """Samples [S], and when they begin, in seconds."""

    begin: float
    wave: Floats


def pieces(waves: Iterable[Floats], rate: int) -> Iterator[Piece]:
    """The same samples, however they come, in pieces of `LONGEST` seconds at most; one at least.

    No more than two pieces are held at a time.
    """
    most, kept, at = int(LONGEST * rate), np.empty(0, dtype=np.float32), 0
    for wave in waves:
        kept = np.concatenate([kept, wave])
        while len(kept) > most:
            cut = _quietest(kept[:most], rate)
            yield Piece(at / rate, kept[:cut])
            kept, at = kept[cut:], at + cut
    if len(kept) or not at:
        yield Piece(at / rate, kept)


def _quietest(wave: Floats, rate: int) -> int:
    """The middle of the quietest stretch in the last part of a wave."""
    width, first = max(1, int(QUIET * rate)), int(len(wave) * (1 - SPAN))
    count = (len(wave) - first) // width
    if count < 1:
        return len(wave)
    energy = np.square(wave[first : first + count * width].reshape(count, width)).sum(1)
    return first + int(energy.argmin()) * width + width // 2
