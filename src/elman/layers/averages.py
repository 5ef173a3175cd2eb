"""Steps beside their averages over time: what noise hides from step to step shows over many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.errors import UserError


@final
class Averages(nn.Module):
    """Each step and, beside it, the mean of so many steps around it, for each of `counts`.

    x [B, T, I] becomes [B, T, I * (1 + K)], K = len(counts): the step itself, then its averages in
    the order of `counts`. Beyond both ends there are zeros, which count. An average reaches as far
    ahead as back, of an even number one step further ahead; or, `causal`, back alone. It has no
    weights.

    UserError: no count, or one below 1.
    """

    skips = False

    def __init__(self, input_size: int, counts: Sequence[int], *, causal: bool = False) -> None:
        if not counts or min(input_size, *counts) < 1:
            raise UserError("averages are of 1 step or more")
        super().__init__()
        self.input_size, self.counts, self.causal = input_size, tuple(counts), causal
        self.output_size = input_size * (1 + len(counts))

    def before(self, count: int) -> int:
        """How many steps an average of so many reaches back."""
        return count - 1 if self.causal else (count - 1) // 2

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """`x` [B, T, I] of `lengths` [B] on the CPU → [B, T, I * (1 + K)], and the same lengths.
        What stands in the padding never enters; what is put out there is of no meaning."""
        y = x.transpose(1, 2)
        if int(lengths.min()) < y.shape[2]:
            alive = torch.arange(y.shape[2]) < lengths[:, None]
            y = y.masked_fill(~alive[:, None].to(y.device), 0)
        ends = [(self.before(n), n - 1 - self.before(n)) for n in self.counts]
        means = [
            F.avg_pool1d(F.pad(y, both), n, 1) for n, both in zip(self.counts, ends, strict=True)
        ]
        return torch.cat([y, *means], 1).transpose(1, 2), lengths

    def listen(
        self, x: Tensor, heard: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """The same of steps x [t, I] of one sequence, and the steps [k, I] that are still wanted;
        with `heard` None none came before. ValueError: it looks ahead."""
        if not self.causal:
            raise ValueError("only averages that look back can be listened with")
        back = max(self.counts) - 1
        before = x.new_zeros(back, x.shape[1]) if heard is None else heard[0].to(x)
        if not len(x):
            return x.new_zeros(0, self.output_size), [before]
        known = torch.cat([before, x])
        y = known.T[None]  # [1, I, back + t]
        means = [F.avg_pool1d(y[:, :, back - n + 1 :], n, 1)[0].T for n in self.counts]
        return torch.cat([x, *means], 1), [known[len(x) :].clone()]

    def kept(self, steps: int) -> tuple[list[tuple[int, int]], int]:
        """After `steps` steps: the shapes that `listen` has kept, and how many steps it gave."""
        return [(max(self.counts) - 1, self.input_size)], steps
