"""Layers without a state: embedding, dense, norms, and what changes shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias, final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.importing.pieces.activations import FUNCTIONS
from elman.importing.pieces.piece import Piece, Plain, State, Value
from elman.layers.regularize import locked_dropout

How: TypeAlias = Literal["concat", "sum", "mean", "product", "maximum"]
REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sum": lambda stacked: stacked.sum(0),
    "mean": lambda stacked: stacked.mean(0),
    "product": lambda stacked: stacked.prod(0),
    "maximum": lambda stacked: stacked.amax(0),
}


@final
class Embed(Plain):
    """Ids [B, T] → vectors [B, T, E]. With `masks` the id 0 is no step."""

    def __init__(self, weight: Tensor, *, masks: bool = False) -> None:
        super().__init__()
        self.weight, self.masks = nn.Parameter(weight), masks

    def of(self, value: Value) -> Value:
        ids = value.x.long()
        if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < len(self.weight):
            raise IndexError(f"ids must lie in 0 .. {len(self.weight) - 1}")
        return Value(F.embedding(ids, self.weight), ids != 0 if self.masks else value.mask)


@final
class Masked(Plain):
    """Steps whose numbers are all `number` are no steps, and become 0."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number

    def of(self, value: Value) -> Value:
        mask = (value.x != self.number).any(-1)
        return Value(value.x.masked_fill(~mask[..., None], 0), mask)


@final
class Linear(Plain):
    """A dense layer [… I] → [… O]."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)  # [O, I]
        self.bias = None if bias is None else nn.Parameter(bias)

    def of(self, value: Value) -> Value:
        return Value(F.linear(value.x, self.weight, self.bias), value.mask)


@final
class Activation(Plain):
    """One of `activations.FUNCTIONS`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def of(self, value: Value) -> Value:
        return Value(FUNCTIONS[self.name](value.x), value.mask)


@final
class Rectified(Plain):
    """max(0, x) with a slope below `threshold` and a `ceiling` above."""

    def __init__(self, slope: float, threshold: float = 0.0, ceiling: float = math.inf) -> None:
        super().__init__()
        self.slope, self.threshold, self.ceiling = slope, threshold, ceiling

    def of(self, value: Value) -> Value:
        x = value.x
        above = x.clamp(max=self.ceiling)
        return Value(
            torch.where(x >= self.threshold, above, self.slope * (x - self.threshold)), value.mask
        )


@final
class Drop(Plain):
    """Dropout, in training alone; `locked`, the same units at all steps."""

    def __init__(self, share: float, *, locked: bool = False) -> None:
        super().__init__()
        self.share, self.locked = share, locked

    def of(self, value: Value) -> Value:
        if not self.locked:
            return Value(F.dropout(value.x, self.share, self.training), value.mask)
        dropped = locked_dropout(value.x.transpose(0, 1), self.share, training=self.training)
        return Value(dropped.transpose(0, 1), value.mask)


@final
class Same(Plain):
    """A layer that acts in training alone, and was left out."""

    def of(self, value: Value) -> Value:
        return value


@final
class LayerNorm(Plain):
    """Mean 0 and variance 1 over the last axis of each step."""

    def __init__(self, weight: Tensor | None, bias: Tensor | None, width: int, eps: float) -> None:
        super().__init__()
        self.weight = None if weight is None else nn.Parameter(weight)
        self.bias = None if bias is None else nn.Parameter(bias)
        self.width, self.eps = width, eps

    def of(self, value: Value) -> Value:
        normed = F.layer_norm(value.x, (self.width,), self.weight, self.bias, self.eps)
        return Value(normed, value.mask)


@final
class BatchNorm(Plain):
    """Batch norm by the mean and variance that training kept; it is not trained any more."""

    mean: Tensor
    scale: Tensor
    shift: Tensor

    def __init__(self, mean: Tensor, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        for name, values in (("mean", mean), ("scale", scale), ("shift", shift)):
            self.register_buffer(name, values)

    def of(self, value: Value) -> Value:
        return Value((value.x - self.mean) * self.scale + self.shift, value.mask)


@final
class Repeated(Plain):
    """One vector [B, I] at each of so many steps [B, T, I]."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def of(self, value: Value) -> Value:
        return Value(value.x[:, None].expand(-1, self.steps, -1))


@final
class Reshaped(Plain):
    """All that follows the batch in another shape, one of whose sizes may be -1."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def of(self, value: Value) -> Value:
        return Value(value.x.reshape(len(value.x), *self.shape))


@final
class Last(Plain):
    """The last step [B, I] of each sequence [B, T, I]."""

    def of(self, value: Value) -> Value:
        return Value(value.x[:, -1])


@final
class Pooled(Plain):
    """Mean or maximum over the steps. Keras' mean passes over masked ones, its maximum does not."""

    def __init__(self, how: Literal["mean", "max"]) -> None:
        super().__init__()
        self.how = how

    def of(self, value: Value) -> Value:
        x, mask = value
        if self.how == "max":
            return Value(x.amax(1))
        if mask is None:
            return Value(x.mean(1))
        return Value((x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))


@final
class EachStep(Plain):
    """A layer at each step by itself: [B, T, …] as [B*T, …]."""

    def __init__(self, inner: Plain) -> None:
        super().__init__()
        self.inner = inner

    def of(self, value: Value) -> Value:
        B, T = value.x.shape[:2]
        inside = self.inner.of(Value(value.x.flatten(0, 1))).x
        return Value(inside.reshape(B, T, *inside.shape[1:]), value.mask)


@final
class InTurn(Plain):
    """Layers one after another, which Keras counts as one: dense, then its activation."""

    def __init__(self, *pieces: Plain) -> None:
        super().__init__()
        self.pieces = nn.ModuleList(pieces)

    def of(self, value: Value) -> Value:
        for piece in self.pieces:
            assert isinstance(piece, Plain)
            value = piece.of(value)
        return value


@final
class Joined(Piece):
    """Several values as one: side by side, or number by number.

    Of masks Keras 3 keeps the steps that count in any value, Keras 2 (`every`) those that count in
    each; where a value has none, all of its steps do.
    """

    def __init__(self, how: How, *, every: bool = False) -> None:
        super().__init__()
        self.how, self.every = how, every

    def forward(
        self, values: Sequence[Value], state: State | None = None
    ) -> tuple[list[Value], State]:
        xs = [v.x for v in values]
        if self.how == "concat":
            return [Value(torch.cat(xs, -1), self._mask(values))], ()
        shape = np.broadcast_shapes(*(x.shape for x in xs))
        stacked = torch.stack([x.expand(shape) for x in xs])
        return [Value(REDUCTIONS[self.how](stacked), self._mask(values))], ()

    def _mask(self, values: Sequence[Value]) -> Tensor | None:
        masks = [v.mask for v in values if v.mask is not None]
        some_have_none = len(masks) < len(values) and not (self.every and self.how == "concat")
        if not masks or some_have_none:
            return None
        stacked = torch.stack(masks)
        return stacked.all(0) if self.every else stacked.any(0)
