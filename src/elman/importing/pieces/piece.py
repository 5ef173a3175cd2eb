"""What every layer of an imported network takes and gives: values with a mask, and a state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from torch import Tensor, nn

State: TypeAlias = tuple[Tensor, ...]  # [B, H] each, as Keras orders them


class Value(NamedTuple):
    """What passes from layer to layer: `x` [B, …], and which of its steps count, bool [B, T].

    A mask of None says that all do. Where there are steps, they are the second axis.
    """

    x: Tensor
    mask: Tensor | None = None


class Piece(nn.Module, ABC):
    """One layer: the values that come in → those that go out, and the state after."""

    @abstractmethod
    def forward(
        self, values: Sequence[Value], state: State | None = None
    ) -> tuple[list[Value], State]:
        """`state` is for recurrent layers; the others give an empty one."""


class Plain(Piece):
    """A layer that makes one value of one, and has no state."""

    def forward(
        self, values: Sequence[Value], state: State | None = None
    ) -> tuple[list[Value], State]:
        (value,) = values
        return [self.of(value)], ()

    @abstractmethod
    def of(self, value: Value) -> Value:
        """The value that comes out."""
