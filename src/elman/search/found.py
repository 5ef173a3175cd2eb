"""What a search has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from elman.search.beams import Beams
from elman.search.pick import NEVER, Picked

# Options are listed in milliseconds: what needs PyTorch loads it when it is called.
if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Hypothesis:
    """A sequence that was found.

    tokens: without start and end. log_probability: in nats, the sum over the tokens, and the end
    where it is finished. score: that by which they are ranked, log_probability divided by the
    length penalty. attention [len(tokens), S], on the CPU, or None. finished: whether the end
    stands there; if not, nothing that keeps to the limits was found.
    """

    tokens: tuple[int, ...]
    log_probability: float
    score: float
    attention: Tensor | None
    finished: bool


class Found:
    """The best `wanted` sequences of each group, best first; most int64 [groups]: their lengths.

    The score of n tokens, the end included, is their log probability over ((5 + n) / 6) to the
    power of `length_penalty` (Wu et al. 2016, arXiv:1609.08144).
    """

    def __init__(self, most: Tensor, wanted: int, length_penalty: float) -> None:
        import torch

        self.best: list[list[Hypothesis]] = [[] for _ in most]
        self._wanted, self._length_penalty = wanted, length_penalty
        divisors = [self._divisor(n + 1) for n in most.tolist()]
        self._longest = most.new_tensor(divisors, dtype=torch.float64)
        self._to_beat = torch.full_like(self._longest, NEVER)  # the worst, where none is missing

    def take(self, beams: Beams, picked: Picked, ended: Tensor) -> None:
        """Keep what has `ended`, bool [G, W], if it is good enough."""
        scores = picked.totals / self._divisor(beams.t + 1)
        better = ended & (scores > self._to_beat[beams.group][:, None])
        rows = beams.rows.gather(1, picked.parents)
        for k, w in better.nonzero().tolist():
            g, row, total = int(beams.group[k]), int(rows[k, w]), float(picked.totals[k, w])
            self.best[g].append(self._hypothesis(beams, row, total, finished=True))
            self.best[g].sort(key=lambda one: -one.score)
            if len(self.best[g]) >= self._wanted:
                del self.best[g][self._wanted :]
                self._to_beat[g] = self.best[g][-1].score

    def done(self, beams: Beams, picked: Picked, live: Tensor) -> Tensor:
        """Which groups, bool [G], have nothing `live`, bool [G, W], that can beat what is kept."""
        # Tokens to come cost nothing at best, and the longest sequence has the largest divisor.
        bound = picked.totals.where(live, NEVER).amax(1) / self._longest[beams.group]
        return ~live.any(1) | (bound <= self._to_beat[beams.group])

    def give_up(self, beams: Beams, k: int) -> None:
        """Keep what group k has begun, as unfinished: nothing can go on."""
        for row, total in zip(beams.rows[k].tolist(), beams.totals[k].tolist(), strict=True):
            if total > NEVER:
                begun = self._hypothesis(beams, row, total, finished=False)
                self.best[int(beams.group[k])].append(begun)
        del self.best[int(beams.group[k])][self._wanted :]

    def _hypothesis(self, beams: Beams, row: int, total: float, *, finished: bool) -> Hypothesis:
        tokens = tuple(beams.history[row].tolist())
        score = total / self._divisor(len(tokens) + finished)
        return Hypothesis(tokens, total, score, beams.attention(row), finished)

    def _divisor(self, n: int) -> float:
        return float(((5 + n) / 6) ** self._length_penalty)
