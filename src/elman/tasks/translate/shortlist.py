"""Training by a part of a large vocabulary: the frequent tokens, the batch's, and some others.

The others, drawn at random without replacement, stand for all that are left: with r of them left
and n drawn, each counts r / n times in the sum that a softmax divides by. That sum is so the true
one on average, and nearly it each time, as most of it are the frequent tokens. After the sampled
softmax of Jean et al. 2015, arXiv:1412.2007, whose sample is as large for frequent tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Ints = NDArray[np.int64]
FREQUENT = 1000  # tokens that are always scored


class Among(NamedTuple):
    """The C tokens that those of a batch are scored among."""

    ids: Tensor  # [C] int64
    stands_for: Tensor  # [C], for how many tokens each counts: 1, but more for what was drawn
    target: Tensor  # [N] int64, which of them each token to be predicted is


@dataclass(frozen=True)
class Shortlist:
    """Of `symbols` tokens those always scored, `frequent` [F], and how many of the rest are."""

    symbols: int
    frequent: Ints
    drawn: int

    def among(self, target: Ints, seed: Sequence[int]) -> Among:
        """What the tokens `target` [N] are scored among; the same for the same seed."""
        sure = np.zeros(self.symbols, dtype=bool)
        sure[self.frequent] = True
        sure[target] = True
        rest = np.flatnonzero(~sure)
        n = min(self.drawn, len(rest))
        drawn = np.random.default_rng(seed).choice(rest, n, replace=False, shuffle=False)
        ids = np.concatenate([np.flatnonzero(sure), drawn])
        stands_for = np.ones(len(ids), dtype=np.float32)
        stands_for[len(ids) - n :] = len(rest) / max(1, n)
        places = np.zeros(self.symbols, dtype=np.int64)
        places[ids] = np.arange(len(ids))
        return Among(*map(torch.from_numpy, (ids, stands_for, places[target])))


def shortlist(targets: Sequence[Ints], symbols: int, drawn: int) -> Shortlist | None:
    """That of a vocabulary of so many tokens, by the targets trained on; None where `drawn` is 0 or
    next to nothing would be left out."""
    if not drawn or symbols <= FREQUENT + 2 * drawn:
        return None
    counts = np.bincount(np.concatenate(targets), minlength=symbols)
    frequent = np.argsort(-counts, kind="stable")[:FREQUENT]
    return Shortlist(symbols, frequent.astype(np.int64), drawn)


def cross_entropy(scores: Tensor, among: Among, symbols: int, smoothing: float) -> Tensor:
    """The sum of the losses in nats, of scores [N, C] of the tokens that are `among` the list.

    With `smoothing` a share of the probability that is asked for goes to all `symbols` alike.
    """
    stands_for = among.stands_for.to(scores.dtype)
    weighed = scores + stands_for.log()
    total = weighed.logsumexp(-1)  # [N], the log of the sum over all tokens
    right = scores.gather(1, among.target[:, None]).squeeze(1)
    loss = (total - right).sum()
    if not smoothing:
        return loss
    even = (total - scores @ stands_for / symbols).sum()
    return (1 - smoothing) * loss + smoothing * even


def wanted(symbols: int) -> int:
    """How many tokens to draw from a vocabulary of so many; 0 where scoring all costs little."""
    return 0 if symbols < 4 * FREQUENT else max(500, int(math.sqrt(symbols) * 5))
