"""Losses of the tokens of a text, added up by passages of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman import chance
from elman.chance import Tally
from elman.metrics import Loss

SIZE = 256  # tokens


class Passages:
    """Sums of nats, and of how many tokens they are, for each passage of `size` tokens.

    Neighbouring tokens share their word and their subject, so that chance draws passages, not
    tokens (see `elman.chance`). The last one may be shorter.
    """

    def __init__(self, first: int, stop: int, size: int = SIZE) -> None:
        self.first, self.size = first, size
        self.sums = np.zeros((-(-(stop - first) // size), 2))  # [N, 2]: nats, tokens

    def add(self, places: NDArray[np.integer[Any]], nats: NDArray[np.float64]) -> None:
        """Counts the tokens at `places` [n] of the text, each of which cost so many `nats` [n]."""
        rows = (places - self.first) // self.size
        self.sums[:, 0] += np.bincount(rows, nats, len(self.sums))
        self.sums[:, 1] += np.bincount(rows, minlength=len(self.sums))

    @property
    def loss(self) -> Loss:
        """All of them."""
        total, count = self.sums.sum(0)
        return Loss(float(total), int(count))

    @property
    def tally(self) -> Tally:
        """Nats a token."""
        return chance.shares("passage", self.sums[:, 0], self.sums[:, 1])
