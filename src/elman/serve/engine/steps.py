"""What the engine asks of a model: to take many texts on, each in a place of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from elman.kernels.together import Advanced, Floats, Ids
from elman.serve.contract import Asked
from elman.tasks.task import Cursor


class Steps(Protocol):
    """A model's texts, by the numbers of their places. What a text is does not depend on others."""

    most: int
    """Tokens of a text that one call makes at most."""

    def enter(self, place: int, asked: Asked) -> None:
        """A text that is to be read and written. UserError: its place is of another model."""

    def unread(self, place: int) -> int:
        """How many tokens of its prompt have not been read."""

    def logits(self, place: int) -> Floats:
        """Those of its next token [V], as they are now."""

    def advance(self, places: Ids, reads: Ids, writes: Ids) -> Advanced:
        """Each of the texts reads up to about so many tokens, and makes up to so many when it has
        read all of its prompt."""

    def cursor(self, place: int, last: Sequence[int]) -> Cursor:
        """Where the text in this place stands; `last` are the newest of its tokens."""
