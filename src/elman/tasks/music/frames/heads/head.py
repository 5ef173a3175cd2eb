"""What a head is: the exact probability of every frame, and frames drawn from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor, nn

Pick: TypeAlias = Callable[[Tensor], int]
"""From log probabilities [K], -inf where something may not be taken, to the number of one of them.
They need not add up to one."""

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

    @abstractmethod
    def nats(self, context: Tensor, frames: Tensor) -> Tensor:
        """-log p(frame | context), exactly, of whole frames: context [N, C], frames [N, …] → [N].

        The probabilities of all frames sum to one.
        """

    @abstractmethod
    def draw(
        self, context: Tensor, pick: Pick, allowed: Tensor | None = None,
        required: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """One frame after `context` [C]: bool [P] or int64 [V], note by note by `pick`.

        Only notes that are `allowed`, bool [P] or, of voices, [V, P], sound, and all of those that
        are `required`, bool [P], do, whether they are allowed or not. Of voices, `required` may be
        int64 [V] instead: of each voice its pitch, or `SILENCE` where it is free.
        """

    @abstractmethod
    def likeliest(self, context: Tensor) -> Tensor:
        """The frames that `draw` makes where the likeliest is always picked: [N, C] → [N, …]."""
