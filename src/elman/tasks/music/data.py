"""Pieces by parts, as both forms of music are given them, and what a data set of either has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from elman.data.symbolic.piece import Piece
from elman.data.tables.content import BadRows
from elman.tasks.music.options import FormName


@dataclass(frozen=True)
class Parts:
    """The pieces of a data set: for training, for validation and, where there are some, kept from
    every choice; and what the user is told of how they were read."""

    name: str
    train: tuple[Piece, ...]
    check: tuple[Piece, ...]
    bad: BadRows
    test: tuple[Piece, ...] | None = None
    facts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """All of them."""
        return (*self.train, *self.check, *(self.test or ()))


class MusicData(Protocol):
    """A data set of either form."""

    @property
    def form(self) -> FormName: ...

    def preprocessing(self) -> dict[str, Any]:
        """What goes with the model; its "form" is that of the data set."""

    def tested(self) -> MusicData | None:
        """The data set with the test part in place of the validation part; None without one."""
