"""Programs out of PyTorch's modules, node by node."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from elman.export.program import (
    Activation,
    Add,
    Affine,
    Array,
    Arrays,
    Average,
    Concat,
    Convolution,
    Dim,
    Expand,
    Function,
    GroupPooling,
    Groups,
    Kind,
    LayerNorm,
    Linear,
    Lookup,
    Mask,
    Mul,
    Node,
    OneHot,
    Pool,
    Pooling,
    Program,
    Recurrent,
    Shorter,
    Slice,
    Softmax,
    SoftmaxOverTime,
    Spread,
    State,
    Steps,
    Value,
)
from elman.export.steps import step_of
from elman.layers import recurrent as stacks
from elman.layers.averages import Averages
from elman.layers.bands import POOLS, BandConvolutions
from elman.layers.convolution import Front, Layers, MaskedNorm

Last = list[tuple[tuple[str, ...], ...]]
"""The names of a stack's states, by layer, direction, and state of the cell; each [B, H]."""


class Builder:
    """A program that grows. Its methods take names, and give the name of what they added."""

    def __init__(self, model: nn.Module) -> None:
        own = [*model.named_parameters(remove_duplicate=False), *model.named_buffers()]
        self._names = {id(tensor): name.replace(".", "_") for name, tensor in own}
        self._inputs: list[str] = []
        self._limits: dict[str, int] = {}
        self._values: dict[str, Value] = {}
        self._weights: dict[str, Array] = {}
        self._nodes: list[Node] = []
        self._begins: dict[str, Array] = {}
        self._states: list[State] = []

    def named(self, x: str, name: str) -> str:
        """The node that gave `x`, from here on under this name: what stands outside of a program
        is known by it."""
        at = next(k for k, node in enumerate(self._nodes) if node.out == x)
        self._nodes[at] = dataclasses.replace(self._nodes[at], out=name)
        self._values[name] = self._values.pop(x)
        return name

    def done(self, *outputs: str) -> Program:
        return Program(
            tuple(self._inputs), outputs, tuple(self._nodes), self._values, self._weights,
            tuple(self._states), self._limits,
        )  # fmt: skip

    # ---- What a program begins with --------------------------------------------------------------

    def ids(self, name: str, shape: Sequence[Dim], limit: int) -> str:
        """An input of whole numbers from 0 to below `limit`."""
        self._limits[name] = limit
        return self._input(name, "int64", shape)

    def numbers(self, name: str, *shape: Dim) -> str:
        return self._input(name, "float32", shape)

    def flags(self, name: str, *shape: Dim) -> str:
        """An input of numbers that are 0 or 1."""
        self._limits[name] = 2
        return self.numbers(name, *shape)

    def lengths(self) -> str:
        return self._input("lengths", "int64", ("B",))

    def _input(self, name: str, kind: Kind, shape: Sequence[Dim]) -> str:
        self._inputs.append(name)
        self._values[name] = Value(kind, tuple(shape))
        return name

    def state(self, name: str, initial: Array) -> str:
        """A state [B, F] before a call; `carry` says what it is after it."""
        self._values[name] = Value("float32", ("B", len(initial)))
        self._begins[name] = initial.astype(np.float32)
        return name

    def carry(self, name: str, after: str) -> None:
        self._states.append(State(name, name, after, self._begins[name]))

    def weight(self, values: Tensor | Array, name: str = "") -> str:
        """Numbers that are always the same, by the name that they have in the model, once each."""
        name = self._names.get(id(values), "") or name or f"weight{len(self._weights)}"
        if name not in self._weights:
            values = values.detach().cpu().numpy() if isinstance(values, Tensor) else values
            self._weights[name] = np.ascontiguousarray(values, dtype=np.float32)
        return name

    # ---- Shapes ----------------------------------------------------------------------------------

    def shape(self, name: str) -> tuple[Dim, ...]:
        return self._values[name].shape

    def width(self, name: str) -> int:
        return cast(int, self.shape(name)[-1])

    def _add(self, node: Node, shape: Sequence[Dim], kind: Kind = "float32") -> str:
        self._nodes.append(node)
        self._values[node.out] = Value(kind, tuple(shape))
        return node.out

    def _out(self, node: type[Node], name: str = "") -> str:
        return name or f"{node.__name__.lower()}{len(self._nodes)}"

    # ---- Nodes -----------------------------------------------------------------------------------

    def lookup(self, ids: str, table: Tensor) -> str:
        shape = (*self.shape(ids), table.shape[1])
        return self._add(Lookup(self._out(Lookup), ids, self.weight(table)), shape)

    def one_hot(self, ids: str, size: int) -> str:
        return self._add(OneHot(self._out(OneHot), ids, size), (*self.shape(ids), size))

    def linear(self, x: str, module: nn.Linear, name: str = "") -> str:
        return self.product(x, module.weight, module.bias, name)

    def product(self, x: str, weight: Tensor, bias: Tensor | None = None, name: str = "") -> str:
        node = Linear(
            self._out(Linear, name), x, self.weight(weight),
            None if bias is None else self.weight(bias),
        )  # fmt: skip
        return self._add(node, (*self.shape(x)[:-1], weight.shape[0]))

    def concat(self, *xs: str) -> str:
        if len(xs) == 1:
            return xs[0]
        shape = (*self.shape(xs[0])[:-1], sum(map(self.width, xs)))
        return self._add(Concat(self._out(Concat), xs), shape)

    def slice(self, x: str, start: int, stop: int) -> str:
        node = Slice(self._out(Slice), x, start, stop)
        return self._add(node, (*self.shape(x)[:-1], stop - start))

    def add(self, a: str, b: str) -> str:
        return self._add(Add(self._out(Add), a, b), self.shape(a))

    def mul(self, a: str, b: str) -> str:
        return self._add(Mul(self._out(Mul), a, b), self.shape(a))

    def affine(
        self, x: str, factor: Tensor | float, shift: Tensor | None = None, name: str = ""
    ) -> str:
        """`factor` and `shift` [F], or one number."""
        factor = torch.tensor([factor]) if isinstance(factor, float) else factor
        node = Affine(
            self._out(Affine, name), x, self.weight(factor),
            None if shift is None else self.weight(shift),
        )  # fmt: skip
        return self._add(node, self.shape(x))

    def mean(self, xs: Sequence[str]) -> str:
        """Of values of one shape."""
        total = xs[0]
        for x in xs[1:]:
            total = self.add(total, x)
        return total if len(xs) == 1 else self.affine(total, 1 / len(xs))

    def activation(self, x: str, function: Function, name: str = "") -> str:
        return self._add(Activation(self._out(Activation, name), x, function), self.shape(x))

    def softmax(self, x: str, *, log: bool = False, name: str = "") -> str:
        return self._add(Softmax(self._out(Softmax, name), x, log), self.shape(x))

    def spread(self, x: str, like: str) -> str:
        """[B, F] at every step of `like` [B, T, …]."""
        shape = (*self.shape(like)[:2], self.width(x))
        return self._add(Spread(self._out(Spread), x, like), shape)

    def expand(self, weight: Tensor, like: str) -> str:
        """[F] for each row of `like` [B, …]."""
        node = Expand(self._out(Expand), self.weight(weight), like)
        return self._add(node, (self.shape(like)[0], len(weight)))

    def steps(self, x: str, count: int) -> str:
        """[B, count * F] as so many steps [B, count, F]."""
        shape = (self.shape(x)[0], count, self.width(x) // count)
        return self._add(Steps(self._out(Steps), x, count), shape)

    def mask(self, x: str, lengths: str | None) -> str:
        if lengths is None:
            return x
        return self._add(Mask(self._out(Mask), x, lengths), self.shape(x))

    def pool(self, x: str, how: Pooling, lengths: str | None) -> str:
        batch, _, width = self.shape(x)
        return self._add(Pool(self._out(Pool), x, how, lengths), (batch, width))

    def softmax_over_time(self, x: str, lengths: str | None) -> str:
        node = SoftmaxOverTime(self._out(SoftmaxOverTime), x, lengths)
        return self._add(node, self.shape(x))

    # ---- Layers ----------------------------------------------------------------------------------

    def front(self, front: Front, x: str, lengths: str | None) -> tuple[str, str | None]:
        """What stands before recurrent layers, and the lengths that are left."""
        if isinstance(front, Averages):
            return self.averages(front, x, lengths), lengths
        assert isinstance(front, Layers)
        return self.convolutions(front, x, lengths)

    def averages(self, front: Averages, x: str, lengths: str | None) -> str:
        """Steps beside their averages."""
        x = self.mask(x, lengths)
        means = [
            self._add(Average(self._out(Average), x, count, front.before(count)), self.shape(x))
            for count in front.counts
        ]
        return self.concat(x, *means)

    def convolutions(self, front: Layers, x: str, lengths: str | None) -> tuple[str, str | None]:
        """What a front gives, zero where there is padding, and the lengths that are left."""
        x = self.mask(x, lengths)
        for layer, norm in front.pairs:
            width, stride = layer.kernel_size[0], layer.stride[0]
            weight, bias = layer.weight, torch.zeros(layer.out_channels)
            if isinstance(norm, MaskedNorm):
                factor, bias = norm.affine()
                weight = weight * factor[:, None, None]
            batch, steps, _ = self.shape(x)
            x = self._add(
                Convolution(
                    self._out(Convolution), x, self.weight(weight), self.weight(bias), stride,
                    width - 1 if front.causal else (width - 1) // 2,
                ),
                (batch, shorter(steps, stride), layer.out_channels),
            )  # fmt: skip
            if not isinstance(norm, MaskedNorm):
                assert isinstance(norm, nn.LayerNorm)
                x = self.layer_norm(x, norm)
            x = self.activation(x, "relu")
            if lengths is not None and stride > 1:
                lengths = self._add(Shorter(self._out(Shorter), lengths, stride), ("B",), "int64")
            x = self.mask(x, lengths)
        if isinstance(front, BandConvolutions) and front.pooled:
            x = self.concat(x, *(self.groups(x, front.bands, how) for how in POOLS))
        return x, lengths

    def groups(self, x: str, size: int, how: GroupPooling) -> str:
        """[..., F * size] → [..., F]: of so many neighbours the greatest, or their mean."""
        shape = (*self.shape(x)[:-1], self.width(x) // size)
        return self._add(Groups(self._out(Groups), x, size, how), shape)

    def layer_norm(self, x: str, norm: nn.LayerNorm) -> str:
        node = LayerNorm(self._out(LayerNorm), x, self.weight(norm.weight), self.weight(norm.bias))
        return self._add(node, self.shape(x))

    def stack(
        self,
        stack: stacks.Recurrent,
        x: str,
        lengths: str | None = None,
        *,
        first: Last | None = None,
        carried: bool = False,
        prefix: str = "",
    ) -> tuple[str, Last]:
        """The layers of a stack over x [B, T, I], from the `first` states, else from the stack's
        own. `carried`: the states go from call to call; then no layer may read backwards.

        → the last layer's output [B, T, D*H], and the states after.
        """
        last: Last = []
        for k, layer in enumerate(stack._layers):
            states = [
                self._first(stack, k, d, x, carried, prefix) if first is None else first[k][d]
                for d in range(len(layer.suffixes))
            ]
            ends, ys = [], []
            for d, suffix in enumerate(layer.suffixes):
                y, end = self._direction(stack, k, suffix, x, lengths, states[d], prefix)
                ys.append(y)
                ends.append(end)
            if carried:
                for name, after in zip(states[0], ends[0], strict=True):
                    self.carry(name, after)
            y = self.concat(*ys)
            x = self.add(x, y) if stack.residual and self.width(x) == self.width(y) else y
            last.append(tuple(ends))
        return x, last

    def _first(
        self, stack: stacks.Recurrent, k: int, d: int, x: str, carried: bool, prefix: str
    ) -> tuple[str, ...]:
        layer = stack._layers[k]
        begins = [torch.zeros(layer.hidden_size) for _ in layer.cell.states]
        if layer.learned_state:
            begins = [getattr(stack, f"initial_{name}_l{k}")[d] for name in layer.cell.states]
        if carried:
            return tuple(
                self.state(f"{prefix}{name}_l{k}", begin.detach().cpu().numpy())
                for name, begin in zip(layer.cell.states, begins, strict=True)
            )
        return tuple(self.expand(one, x) for one in begins) if layer.learned_state else ()

    def _direction(
        self,
        stack: stacks.Recurrent,
        k: int,
        suffix: str,
        x: str,
        lengths: str | None,
        first: tuple[str, ...],
        prefix: str,
    ) -> tuple[str, tuple[str, ...]]:
        layer = stack._layers[k]
        out = self._out(Recurrent)
        ends = tuple(f"{out}_{name}" for name in layer.cell.states)
        parts: Mapping[str, str] = {
            name: self.weight(getattr(stack, f"{name}_l{k}{suffix}")) for name in layer.shapes()
        }
        node = Recurrent(
            out, x, step_of(layer.cell, layer.hidden_size), **parts, first=first, last=ends,
            lengths=lengths, keep=stack._shares.zoneout, reverse=suffix != "",
        )  # fmt: skip
        for end in ends:
            self._values[end] = Value("float32", ("B", layer.hidden_size))
        batch, steps, _ = self.shape(x)
        return self._add(node, (batch, steps, layer.hidden_size)), ends


def stacked(stack: stacks.Recurrent, states: Arrays) -> stacks.State:
    """States by name, each [B, H], as a stack takes them."""
    return [
        tuple(torch.from_numpy(states[f"{name}_l{k}"])[None] for name in cell.states)
        for k, cell in enumerate(stack.cell)
    ]


def unstacked(stack: stacks.Recurrent, states: stacks.State) -> dict[str, Array]:
    """The inverse."""
    return {
        f"{name}_l{k}": part[0].numpy()
        for k, (cell, layer) in enumerate(zip(stack.cell, states, strict=True))
        for name, part in zip(cell.states, layer, strict=True)
    }


def shorter(steps: Dim, stride: int) -> Dim:
    """How many steps a stride leaves."""
    if isinstance(steps, int):
        return -(-steps // stride)
    name, _, before = steps.partition("/")
    whole = stride * int(before or 1)
    return steps if whole == 1 else f"{name}/{whole}"
