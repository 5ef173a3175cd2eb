"""Each note by itself: how the literature scores networks on rolls."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.tasks.music.frames.heads.head import Head, Pick

RARE = -3.0  # the score that each note starts with: one of twenty sounds


@final
class Independent(Head):
    """P coins: p(frame) = Π_q σ(s_q)^[q sounds] σ(-s_q)^[it does not], with s = W context + b.

    As in Bai et al. 2018, arXiv:1803.01271, section 4.
    """

    def __init__(self, context: int, pitches: int) -> None:
        super().__init__()
        self.pitches = pitches
        self.output = nn.Linear(context, pitches)
        nn.init.constant_(self.output.bias, RARE)

    def nats(self, context: Tensor, frames: Tensor) -> Tensor:
        scores = self.output(context)
        each = F.binary_cross_entropy_with_logits(scores, frames.to(scores.dtype), reduction="none")
        return each.sum(-1)

    @torch.no_grad()
    def draw(
        self, context: Tensor, pick: Pick, allowed: Tensor | None = None,
        required: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        scores = self.output(context)
        both = torch.stack([F.logsigmoid(-scores), F.logsigmoid(scores)], -1)  # [P, 2]
        frame = torch.zeros(self.pitches, dtype=torch.bool)
        for pitch in range(self.pitches):
            if required is not None and required[pitch]:
                frame[pitch] = True
            elif allowed is None or allowed[pitch]:
                frame[pitch] = pick(both[pitch]) == 1
        return frame

    @torch.no_grad()
    def likeliest(self, context: Tensor) -> Tensor:
        scores: Tensor = self.output(context)
        return scores > 0
