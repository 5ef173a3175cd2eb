"""Each note by itself: how the literature scores networks on rolls."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.tasks.music.frames.heads.head import Ask, Head, Pick
from elman.tasks.task import State

RARE = -3.0  # the score that each note starts with: one of twenty sounds


@final
class Independent(Head):
    """P coins: p(frame) = Π_q σ(s_q)^[q sounds] σ(-s_q)^[it does not], with s = W context + b.

    As in Bai et al. 2018, arXiv:1803.01271, section 4.
    """

    coins = True

    def __init__(self, context: int, pitches: int) -> None:
        super().__init__()
        self.pitches = pitches
        self.output = nn.Linear(context, pitches)
        nn.init.constant_(self.output.bias, RARE)

    def answers(self, context: Tensor, frames: Tensor) -> tuple[Tensor, Tensor | None]:
        scores = self.output(context)
        return -F.binary_cross_entropy_with_logits(
            scores, frames.to(scores.dtype), reduction="none"
        ), None

    def ask(
        self, context: Tensor, last: Tensor, state: State | None, place: int
    ) -> tuple[Tensor, State]:
        """Of all notes at once, [N, P, 2]: no answer depends on another."""
        scores = self.output(context)
        return torch.stack([F.logsigmoid(-scores), F.logsigmoid(scores)], -1), []

    def draw_by(
        self, ask: Ask, context: Tensor, pick: Pick, allowed: Tensor | None,
        required: Tensor | None,
    ) -> Tensor:  # fmt: skip
        both = _all(ask, context)[0]  # [P, 2]
        frame = torch.zeros(self.pitches, dtype=torch.bool)
        for pitch in range(self.pitches):
            if required is not None and required[pitch]:
                frame[pitch] = True
            elif allowed is None or allowed[pitch]:
                frame[pitch] = pick(both[pitch]) == 1
        return frame

    def likeliest_by(self, ask: Ask, context: Tensor) -> Tensor:
        both = _all(ask, context)
        return both[..., 1] > both[..., 0]


def _all(ask: Ask, context: Tensor) -> Tensor:
    log_p, _ = ask(context, torch.zeros(len(context), dtype=torch.int64), None, 0)
    return log_p
