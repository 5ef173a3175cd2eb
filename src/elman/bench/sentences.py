"""Sentences to be translated, the same for every peer, drawn with the lengths of captions.

Multi30k has 13 tokens a side on average, and translations about as long as their sources.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from elman.bench.work import Work

Ids = npt.NDArray[np.int64]

SOURCE, TARGET = 8000, 6000  # ids of each side; the last is the end
RESERVED = 4  # the first ids are never drawn: libraries have padding and the like there
EMBEDDING = 256
BATCHES = 4  # batches that training reads in turn
SPREAD = 4.0  # tokens, the standard deviation of lengths
BEAM = 5


class Sentences(NamedTuple):
    """Pairs of ids, without ends, batch by batch: of one length or nearly so, as pairs are sorted
    before they are cut into batches."""

    sources: list[Ids]
    targets: list[Ids]


def sentences(work: Work) -> list[Sentences]:
    """`BATCHES` batches of `work.B` pairs, of about `work.T` tokens a side."""
    draw, count = np.random.default_rng(3), BATCHES * work.B
    target = draw.normal(work.T - 1, SPREAD, count).round().clip(3, 3 * work.T).astype(int)
    source = (target + draw.normal(0, SPREAD / 2, count).round()).clip(3, 3 * work.T).astype(int)
    pairs = [
        (draw.integers(RESERVED, SOURCE - 1, S), draw.integers(RESERVED, TARGET - 1, T))
        for T, S in sorted(zip(target.tolist(), source.tolist(), strict=True))
    ]
    parts = [pairs[k : k + work.B] for k in range(0, count, work.B)]
    return [Sentences([s for s, _ in part], [t for _, t in part]) for part in parts]


def to_write(work: Work) -> list[Ids]:
    """The sources of one batch to be decoded, the longest first."""
    chosen = sentences(work)[BATCHES // 2].sources
    return sorted(chosen, key=len, reverse=True)


def target_tokens(work: Work) -> int:
    """The tokens to be predicted in all batches, ends among them."""
    return sum(len(ids) + 1 for batch in sentences(work) for ids in batch.targets)
