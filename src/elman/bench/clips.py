"""Clips to be heard, the same for every peer: noise, as what is said in them changes no time.

Their lengths are even between 0.3 `Work.T` and `Work.T` seconds; symbols are said 4 a second, so
that the steps which three strides of 2 leave have room for them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from elman.bench.work import Array, Work

RATE, MELS = 8_000, 40
WINDOW, HOP = 25.0, 10.0  # milliseconds
BAND_FILTERS = (16, 32)  # of the convolutions over time and bands
FILTERS, WIDTH, STRIDE = (64, 96, 128), 9, 2  # of those over time
SYMBOLS = 40  # the blank among them
BATCHES = 2  # batches that are heard in turn
SHORTEST = 0.3  # of the longest
SAID = 4.0  # symbols a second


class Clips(NamedTuple):
    """A batch: of nearly one length, as clips are sorted before they are cut into batches."""

    waves: list[Array]  # [S] each, in [-1, 1]
    said: list[npt.NDArray[np.int64]]  # in 1..SYMBOLS - 1


def clips(work: Work) -> list[Clips]:
    """`BATCHES` batches of `work.B` clips."""
    draw, count = np.random.default_rng(4), BATCHES * work.B
    samples = np.sort(draw.uniform(SHORTEST, 1, count) * work.T * RATE).astype(int)
    pairs = [
        (
            draw.normal(0, draw.uniform(0.01, 0.2), S).astype(np.float32),
            draw.integers(1, SYMBOLS, max(1, round(SAID * S / RATE))),
        )
        for S in samples.tolist()
    ]
    parts = [pairs[k : k + work.B] for k in range(0, count, work.B)]
    return [Clips([w for w, _ in part], [s for _, s in part]) for part in parts]


def seconds_of_sound(work: Work) -> float:
    """How long all of them are together, without padding."""
    return sum(len(wave) for batch in clips(work) for wave in batch.waves) / RATE
