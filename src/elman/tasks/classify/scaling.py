"""What sequences of numbers are scaled by, found by their nearest neighbours in the training part.

Recordings of one thing by several devices differ in level and size, which then say nothing; where
these tell the classes apart, scaling each sequence by itself would take away what is looked for.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.tasks.classify.options import Scaling

Vectors = NDArray[np.float32]

LOOKED_AT = 400  # sequences, evenly spread
STEPS = 64  # to which each is brought
WIDE = 4096  # numbers of a sequence that are compared at most
FLAT = 1e-6  # spread below which values are all alike


@dataclass(frozen=True)
class Found:
    """A scaling, and how often the nearest neighbour then had the same label, if that was asked."""

    scaling: Scaling
    channel: float | None = None
    sequence: float | None = None

    @property
    def told(self) -> str:
        """In words; empty where nothing was to be chosen."""
        if self.channel is None or self.sequence is None:
            return ""
        each, whole = f"{self.sequence:.0%}", f"{self.channel:.0%}"
        if self.scaling == "sequence":
            return (
                f"each sequence is scaled by itself: its nearest neighbour then is of its class "
                f"{each} of the time, and {whole} where level and size are kept"
            )
        return (
            f"level and size are kept: the nearest neighbour of a sequence then is of its class "
            f"{whole} of the time, and {each} where each sequence is scaled by itself"
        )


def by_itself(sequence: Vectors) -> Vectors:
    """A sequence [T, I], each channel less its mean, over its standard deviation unless flat."""
    whole = sequence.astype(np.float64)
    spread = whole.std(0)
    scaled: Vectors = ((whole - whole.mean(0)) / np.where(spread < FLAT, 1.0, spread)).astype(
        np.float32
    )
    return scaled


def find(sequences: Sequence[Vectors], labels: Sequence[Hashable]) -> Found:
    """The scaling by which nearest neighbours are alike more often; by channel if equally often,
    as nothing is lost by it, and where every sequence is scaled by itself already."""
    chosen = np.unique(np.linspace(0, len(sequences) - 1, LOOKED_AT).astype(int))
    taken = [sequences[k] for k in chosen]
    said = [labels[k] for k in chosen]
    alone = [by_itself(s) for s in taken]
    rows = np.concatenate(taken).astype(np.float64)
    mean, spread = rows.mean(0), rows.std(0)
    spread[spread < FLAT] = 1.0
    together = [(s - mean) / spread for s in taken]
    apart = max(float(np.abs(a - t).max()) for a, t in zip(alone, together, strict=True))
    if apart < 0.05 or len(taken) < 3:
        return Found("channel")
    channel, sequence = _agreement(together, said), _agreement(alone, said)
    return Found("sequence" if sequence > channel else "channel", channel, sequence)


def _agreement(sequences: Sequence[NDArray[Any]], labels: Sequence[Hashable]) -> float:
    """How often the nearest of all others, by the sum of squares, has the same label."""
    channels = sequences[0].shape[1]
    steps = max(2, min(STEPS, WIDE // channels, max(map(len, sequences))))
    flat = np.stack([_resampled(s, steps).ravel() for s in sequences])
    squares = (flat**2).sum(1)
    apart = squares[:, None] + squares - 2 * flat @ flat.T
    np.fill_diagonal(apart, np.inf)
    nearest = apart.argmin(1)
    return float(np.mean([labels[k] == labels[n] for k, n in enumerate(nearest)]))


def _resampled(sequence: NDArray[Any], steps: int) -> NDArray[np.float64]:
    """A sequence [T, I] at so many places evenly spread, by straight lines."""
    places = np.linspace(0, len(sequence) - 1, steps)
    low = np.minimum(places.astype(int), max(0, len(sequence) - 2))
    share = (places - low)[:, None]
    high = np.minimum(low + 1, len(sequence) - 1)
    read: NDArray[np.float64] = sequence[low] * (1 - share) + sequence[high] * share
    return read
