"""How much of a generated text is copied from the training text, and where the longest copy is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

if TYPE_CHECKING:
    from elman.data.batching import Tokens

CHUNK = 1 << 20  # training tokens looked at in one go
COMPARED = 1 << 20  # tokens of possible copies compared in one go
BASE = 0x9E3779B97F4A7C15  # of the hash; odd, so that it has an inverse modulo 2^64

Ids = NDArray[np.integer[Any]]
Places = NDArray[np.int64]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Memorisation:
    """The longest copy, and the share of the generated tokens in copies of `span` tokens or more.

    The `length` generated tokens from `generated_start` on are the training tokens from
    `training_start` on; of several such copies the one first in the training text, then first in
    the generated one. Where no token is shared, all three are 0.
    """

    length: int
    training_start: int
    generated_start: int
    span: int
    copied_share: float


def memorisation(generated: Ids, training: Tokens, *, span: int = 50) -> Memorisation:
    """Compares `generated` ids [M] with all of `training`, read once and in chunks.

    Copies shorter than `span` >= 1 tokens do not count for `copied_share`, as any text in the
    language may share them; 50 is the length of arXiv:2107.06499. Memory grows with M alone.
    """
    written = _Hashed(generated)
    length = training_start = generated_start = 0
    hashes, first, group = np.unique(written.windows(span), return_index=True, return_inverse=True)
    copied = np.zeros(len(hashes), np.bool_)  # the different windows of `span` tokens
    for start in range(0, len(training), CHUNK):
        # Every window that begins in this chunk and is no longer than `generated` is in it.
        text = _Hashed(training.read(start, CHUNK + max(len(generated) - 1, 0)))

        # A copy of n tokens holds one of n - 1, so steps that double, then halve, find the longest.
        step, grows = 1, True
        while step:
            copy = _first_copy(written, text, length + step)
            if copy:
                length += step
                training_start, generated_start = start + copy[0], copy[1]
            grows = grows and copy is not None
            step = step * 2 if grows else step // 2

        for _, sources in _copies(written, text, span, hashes[~copied], first[~copied]):
            copied[group[sources]] = True
    share = float(_covered(copied[group], span, len(generated)).mean()) if len(generated) else 0.0
    return Memorisation(length, training_start, generated_start, span, share)


class _Hashed:
    """Ids [N] with the sums from which the hash of any window follows: Σ_j ids[i + j] BASE^j."""

    def __init__(self, ids: Ids) -> None:
        self.ids = ids
        self._inverses = _powers(pow(BASE, -1, 1 << 64), len(ids))
        self._sums = np.zeros(len(ids) + 1, np.uint64)
        np.cumsum(ids.astype(np.uint64) * _powers(BASE, len(ids)), out=self._sums[1:])

    def windows(self, length: int) -> Hashes:
        """The hash of every window of `length` tokens [N - length + 1]."""
        count = max(len(self.ids) - length + 1, 0)
        return (self._sums[length:] - self._sums[:count]) * self._inverses[:count]


def _powers(base: int, count: int) -> Hashes:
    powers = np.full(count, base, np.uint64)
    powers[:1] = 1
    return np.cumprod(powers)


def _first_copy(written: _Hashed, text: _Hashed, length: int) -> tuple[int, int] | None:
    """Where the first window of `text` stands that is also in `written`, and where it is there."""
    hashes, first = np.unique(written.windows(length), return_index=True)
    for places, sources in _copies(written, text, length, hashes, first):
        if len(places):
            return int(places[0]), int(sources[0])
    return None


def _copies(
    written: _Hashed, text: _Hashed, length: int, hashes: Hashes, first: Places
) -> Iterator[tuple[Places, Places]]:
    """Places of windows of `text`, in order, and of the equal windows of `written`.

    Looked for are the windows of `written` with these `hashes`, ascending; `first` is where each
    stands first.
    """
    sought = text.windows(length)
    # Most windows are ruled out by the upper bits of their hash, faster than by a search.
    maybe = np.zeros(1 << 16, np.bool_)
    maybe[hashes >> np.uint64(48)] = True
    places = np.flatnonzero(maybe[sought >> np.uint64(48)])
    rows = np.minimum(np.searchsorted(hashes, sought[places]), len(hashes) - 1)
    equal = hashes[rows] == sought[places]
    places, sources = places[equal], first[rows[equal]]
    block = max(COMPARED // length, 1)
    for k in range(0, len(places), block):
        at, of = places[k : k + block], sources[k : k + block]
        # Equal hashes are not yet equal tokens.
        same = (
            sliding_window_view(text.ids, length)[at]
            == sliding_window_view(written.ids, length)[of]
        )
        yield at[same.all(1)], of[same.all(1)]


def _covered(copied: NDArray[np.bool_], span: int, tokens: int) -> NDArray[np.bool_]:
    """Which of the tokens lie in a copied window; `copied` tells it of the window at each place."""
    edges = np.zeros(tokens + 1, np.int64)
    starts = np.flatnonzero(copied)
    edges[starts] += 1
    edges[starts + span] -= 1
    return edges[:-1].cumsum() > 0
