"""Two halves of the steps of some sequences: what is found on one is judged by the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elman.errors import UserError

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

BLOCKS = 24  # into which sequences are cut where there are fewer
SHORTEST = 32  # steps of such a block


@dataclass(frozen=True)
class Halves:
    """Which steps a search may look at, and which it is judged by.

    `block` [T, B] numbers stretches of one sequence each, -1 where nothing is; those marked in
    `told` are the ones that are judged by.
    """

    block: Ints
    told: Bools  # by block

    @property
    def finding(self) -> Bools:
        """The steps of one half, [T, B]."""
        return (self.block >= 0) & ~self.told[self.block]

    @property
    def telling(self) -> Bools:
        """Those of the other."""
        return (self.block >= 0) & self.told[self.block]

    def sums(self, values: Sequence[NDArray[np.generic]]) -> NDArray[np.float64]:
        """Of K arrays [T, B] the sums over each block that is told, [blocks, K]."""
        told, count = self.telling, len(self.told)
        each = [np.bincount(self.block[told], v[told].astype(np.float64), count) for v in values]
        sums: NDArray[np.float64] = np.stack(each, 1).astype(np.float64)
        return sums[self.told]


def halves(there: Bools, seed: int = 0) -> Halves:
    """Two halves of the steps that are there [T, B]: whole sequences, or pieces of a few long ones.

    UserError: nothing to part.
    """
    T, B = there.shape
    pieces = max(1, min(-(-BLOCKS // B), T // SHORTEST)) if B < BLOCKS else 1
    block = (np.arange(T) * pieces // T)[:, None] * B + np.arange(B)
    used, block = np.unique(np.where(there, block, -1), return_inverse=True)
    block = block.reshape(T, B) - int(used[0] < 0)
    count = int(block.max()) + 1
    if count < 2:
        raise UserError(f"{count} sequence of {T} steps cannot be parted in two; give more data")
    told = np.zeros(count, np.bool_)
    told[np.random.default_rng(seed).permutation(count)[: count // 2]] = True
    return Halves(block, told)
