"""Several heads that answer together, question by question."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from elman.tasks import ensemble
from elman.tasks.music.frames.heads.head import Ask, Head, Pick
from elman.tasks.task import State


@final
class Together(Head):
    """Heads of one kind: an answer is as likely as it is on average to each of them, given all
    answers before. So the probabilities of all frames sum to one here too.

    The context is that of the first network, then that of the second, and so on; so is the state.
    """

    def __init__(self, heads: Sequence[Head]) -> None:
        super().__init__()
        first = heads[0]
        self.heads = nn.ModuleList(heads)
        self.pitches, self.voices, self.coins = first.pitches, first.voices, first.coins

    def answers(self, context: Tensor, frames: Tensor) -> tuple[Tensor, Tensor | None]:
        found = [head.answers(own, frames) for head, own in self._each(context)]
        return _average([log_p for log_p, _ in found]), found[0][1]

    def ask(
        self, context: Tensor, last: Tensor, state: State | None, place: int
    ) -> tuple[Tensor, State]:
        each, after = [], State()
        states = ensemble.states(state, len(self.heads))
        for (head, own), before in zip(self._each(context), states, strict=True):
            log_p, then = head.ask(own, last, before, place)
            each.append(log_p)
            after += then
        return _average(each), after

    def draw_by(
        self, ask: Ask, context: Tensor, pick: Pick, allowed: Tensor | None,
        required: Tensor | None,
    ) -> Tensor:  # fmt: skip
        return self._first.draw_by(ask, context, pick, allowed, required)

    def likeliest_by(self, ask: Ask, context: Tensor) -> Tensor:
        return self._first.likeliest_by(ask, context)

    def alone(self, context: Tensor, frames: Tensor) -> Tensor:
        each = [head.nats(own, frames) for head, own in self._each(context)]
        return torch.stack(each).mean(0)

    @property
    def _first(self) -> Head:
        first = self.heads[0]
        assert isinstance(first, Head)
        return first

    def _each(self, context: Tensor) -> list[tuple[Head, Tensor]]:
        """Each head, and its part of the context."""
        parts = context.chunk(len(self.heads), -1)
        pairs = zip(self.heads, parts, strict=True)
        return [(head, own) for head, own in pairs if isinstance(head, Head)]


def _average(each: Sequence[Tensor]) -> Tensor:
    """The logarithms of average probabilities; what is impossible to all stays so."""
    return torch.stack(list(each)).logsumexp(0) - math.log(len(each))
