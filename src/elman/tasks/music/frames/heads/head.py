"""What a head is: questions, one after the other, whose answers make a frame.

Of all answers to a question the head tells how likely they are, and so the exact probability of
every frame; and a frame can be made by picking answers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

from elman.tasks.task import State

Pick: TypeAlias = Callable[[Tensor], int]
"""From log probabilities [K], -inf where something may not be taken, to the number of one of them.
They need not add up to one."""

Ask: TypeAlias = Callable[[Tensor, Tensor, State | None, int], tuple[Tensor, State]]
"""`Head.ask`, of one head or of several together."""

SILENCE = -1
"""What a voice that is silent has in place of a pitch."""


class Head(nn.Module, ABC):
    """Tells a frame from a context, which is all that the network knows before it.

    Frames are rolls, bool [N, P], True where a pitch sounds; or, of the head `voices`, int64
    [N, V], of each voice its pitch, from 0 below P, or `SILENCE`. Voice 0 is the highest. A pitch
    is counted from the lowest that the model knows.
    """

    pitches: int  # P
    voices: int = 0  # V; 0 of heads that tell rolls
    coins: bool = False  # whether each note is a question of its own: 0 for silent, 1 for sounding

    @abstractmethod
    def answers(self, context: Tensor, frames: Tensor) -> tuple[Tensor, Tensor | None]:
        """Log probabilities of the answers that make whole frames: context [N, C], frames [N, …] →
        [N, Q]; or, where frames differ in how many they have, [L], and of each its frame, [L]."""

    @abstractmethod
    def ask(
        self, context: Tensor, last: Tensor, state: State | None, place: int
    ) -> tuple[Tensor, State]:
        """Log probabilities [N, K] of all answers to the question number `place`, `last` [N] being
        those to the one before, and the state, which is to be handed back with the next. Heads of
        `coins` answer all P questions at once, whatever stood before: [N, P, 2]."""

    @abstractmethod
    def draw_by(
        self, ask: Ask, context: Tensor, pick: Pick, allowed: Tensor | None,
        required: Tensor | None,
    ) -> Tensor:  # fmt: skip
        """`draw`, by what `ask` says."""

    @abstractmethod
    def likeliest_by(self, ask: Ask, context: Tensor) -> Tensor:
        """`likeliest`, by what `ask` says."""

    def nats(self, context: Tensor, frames: Tensor) -> Tensor:
        """-log p(frame | context), exactly, of whole frames: context [N, C], frames [N, …] → [N].

        The probabilities of all frames sum to one.
        """
        log_p, rows = self.answers(context, frames)
        if rows is None:
            return -log_p.sum(-1)
        return -log_p.new_zeros(len(frames)).index_add(0, rows, log_p)

    def alone(self, context: Tensor, frames: Tensor) -> Tensor:
        """What a head is trained by, [N]: `nats`; of several what each has alone, on average."""
        return self.nats(context, frames)

    @torch.no_grad()
    def draw(
        self, context: Tensor, pick: Pick, allowed: Tensor | None = None,
        required: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """One frame after `context` [C]: bool [P] or int64 [V], note by note by `pick`.

        Only notes that are `allowed`, bool [P] or, of voices, [V, P], sound, and all of those that
        are `required`, bool [P], do, whether they are allowed or not. Of voices, `required` may be
        int64 [V] instead: of each voice its pitch, or `SILENCE` where it is free.
        """
        return self.draw_by(self.ask, context[None], pick, allowed, required)

    @torch.no_grad()
    def likeliest(self, context: Tensor) -> Tensor:
        """The frames that `draw` makes where the likeliest is always picked: [N, C] → [N, …]."""
        return self.likeliest_by(self.ask, context)
