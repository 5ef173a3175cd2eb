"""Recurrent layers as Keras runs them: any step may be masked, either end may come first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from elman.cells import Cell
from elman.importing.pieces.piece import Piece, State, Value
from elman.layers.recurrent import Recurrent

Merge: TypeAlias = Literal["concat", "sum", "ave", "mul"]


@dataclass(frozen=True)
class Weights:
    """A direction's weights in Elman's order of gates, [G*H, I], [G*H, H], [G*H] each."""

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None = None
    bias_hh: Tensor | None = None


@dataclass(frozen=True)
class Told:
    """What a recurrent layer puts out.

    `sequences`: every step, not only the last; `states`: the state too; `zeros`: 0 at masked steps,
    where otherwise the output before is repeated.
    """

    sequences: bool
    states: bool = False
    zeros: bool = False


@final
class OneWay(nn.Module):
    """One direction: a layer of `Recurrent` that passes over masked steps.

    A masked step changes no state. `backwards` reads from the end and puts out in that order.
    """

    def __init__(self, cell: Cell, weights: Weights, *, backwards: bool = False) -> None:
        super().__init__()
        bias = weights.bias_ih is not None
        H, I = weights.weight_hh.shape[1], weights.weight_ih.shape[1]  # noqa: E741
        self.backwards = backwards
        self.layer = Recurrent(I, H, cell=cell, bias=bias, batch_first=True)
        with torch.no_grad():
            for name, values in vars(weights).items():
                if values is not None:
                    getattr(self.layer, f"{name}_l0").copy_(values)

    def forward(self, value: Value, state: State | None, *, zeros: bool) -> tuple[Tensor, State]:
        """`x` [B, T, I] → outputs [B, T, H] in the order of reading, and the last state."""
        x, mask = value
        if x.dim() != 3:
            raise RuntimeError("needs sequences of vectors, [B, T, I]")
        if self.backwards:
            x, mask = x.flip(1), None if mask is None else mask.flip(1)
        before = None if state is None else [tuple(s[None] for s in state)]
        if mask is None:
            y, (after,) = self.layer(x, before)
            return y, tuple(s[0] for s in after)
        # What is not masked moves to the front, is read as a packed sequence, and moves back.
        lengths = mask.sum(1)
        front = (~mask).int().argsort(dim=1, stable=True)
        packed = pack_padded_sequence(
            x.gather(1, front[..., None].expand_as(x)), lengths.clamp(min=1).cpu(),
            batch_first=True, enforce_sorted=False,
        )  # fmt: skip
        read, (after,) = self.layer(packed, before)
        assert isinstance(read, PackedSequence)
        steps, _ = pad_packed_sequence(read, batch_first=True, total_length=x.shape[1])
        seen = mask.cumsum(1)  # how many steps were read up to each
        y = steps.gather(1, (seen - 1).clamp(min=0)[..., None].expand_as(steps))
        y = y.masked_fill((~mask if zeros else seen == 0)[..., None], 0)
        unread = (lengths == 0)[:, None]
        first = (torch.zeros_like(s[0]) for s in after) if state is None else state
        return y, tuple(torch.where(unread, old, s[0]) for s, old in zip(after, first, strict=True))


class Reading(Piece):
    """What recurrent layers of one and of two directions share."""

    told: Told

    @property
    def ways(self) -> tuple[OneWay, ...]:
        """The directions, the forward one first."""
        raise NotImplementedError

    def _given(self, values: Sequence[Value], state: State | None) -> tuple[Value, State | None]:
        """The sequence, and the state that comes in with it or is handed over."""
        value, *first = values
        return value, tuple(v.x for v in first) or state

    def _out(
        self, ys: Sequence[Tensor], mask: Tensor | None, after: State
    ) -> tuple[list[Value], State]:
        out = [Value(y, mask if self.told.sequences else None) for y in ys]
        return [*out, *(Value(s) for s in after)] if self.told.states else out, after


@final
class Forward(Reading):
    """A layer that reads one way."""

    def __init__(self, way: OneWay, told: Told) -> None:
        super().__init__()
        self.way, self.told = way, told

    @property
    def ways(self) -> tuple[OneWay, ...]:
        return (self.way,)

    def forward(
        self, values: Sequence[Value], state: State | None = None
    ) -> tuple[list[Value], State]:
        value, state = self._given(values, state)
        y, after = self.way(value, state, zeros=self.told.zeros)
        return self._out([y if self.told.sequences else y[:, -1]], value.mask, after)


@final
class BothWays(Reading):
    """A layer that reads both ways. Its state is that of the forward direction, then the other's.

    Where every step is put out, Keras puts out 0 at masked ones. Without `merge` both directions
    are put out, one after the other.
    """

    def __init__(self, there: OneWay, back: OneWay, merge: Merge | None, told: Told) -> None:
        super().__init__()
        self.there, self.back, self.merge, self.told = there, back, merge, told

    @property
    def ways(self) -> tuple[OneWay, ...]:
        return (self.there, self.back)

    def forward(
        self, values: Sequence[Value], state: State | None = None
    ) -> tuple[list[Value], State]:
        value, state = self._given(values, state)
        half = 0 if state is None else len(state) // 2
        zeros = self.told.sequences
        y, after = self.there(value, None if state is None else state[:half], zeros=zeros)
        z, later = self.back(value, None if state is None else state[half:], zeros=zeros)
        if self.told.sequences:
            z = z.flip(1)
        else:
            y, z = y[:, -1], z[:, -1]
        ys = [y, z] if self.merge is None else [merged(y, z, self.merge)]
        return self._out(ys, value.mask, after + later)


def merged(y: Tensor, z: Tensor, how: Merge) -> Tensor:
    """What both directions say, as one."""
    if how == "concat":
        return torch.cat([y, z], -1)
    if how == "mul":
        return y * z
    return y + z if how == "sum" else (y + z) / 2
