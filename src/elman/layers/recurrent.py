"""Stacks of recurrent layers of any cell: `Recurrent`.

`y, state = layer(x, state)`: state is an argument and a result, never hidden.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeGuard, TypeVar, cast, final

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from elman import cells
from elman.cells.cell import Cell
from elman.errors import UserError
from elman.layers.precision import autocast
from elman.layers.regularize import (
    dropout,
    dropout_mask,
    locked_dropout,
    weight_drop,
    zoneout_shares,
)
from elman.layers.scan import Direction, scan, vectors

V = TypeVar("V")
State: TypeAlias = list[tuple[Tensor, ...]]  # one entry a layer, one [D, B, H] a state of its cell


@dataclass(frozen=True)
class Layer:
    """One layer of a stack: what it is made of, and the shapes of its parameters."""

    cell: Cell
    input_size: int
    hidden_size: int
    bidirectional: bool
    bias: bool
    layer_norm: bool = False
    learned_state: bool = False

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The endings of parameter names, one for each direction."""
        return ("", "_reverse") if self.bidirectional else ("",)

    @property
    def output_size(self) -> int:
        return len(self.suffixes) * self.hidden_size

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The parameters of one direction, in PyTorch's order, then those it does not know."""
        rows = len(self.cell.gates) * self.hidden_size
        sides = ("ih", "hh") if self.cell.recurrent else ("ih",)
        columns = {"ih": self.input_size, "hh": self.hidden_size}
        shapes: dict[str, tuple[int, ...]] = {f"weight_{s}": (rows, columns[s]) for s in sides}
        if self.bias:
            shapes |= {f"bias_{s}": (rows,) for s in sides}
        if self.layer_norm:
            shapes |= {f"norm_{s}": (rows,) for s in sides}
        return shapes


@dataclass(frozen=True)
class Shares:
    """How much of what is left out in training, each a probability in [0, 1]."""

    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    zoneout: float = 0.0
    weight_drop: float = 0.0


@dataclass(frozen=True)
class Sequences:
    """A batch of sequences in the form that `scan` takes, and the way back to the caller's."""

    x: Tensor  # [T, B, I], or packed rows [N, I]; tokens [T, B] or [N]
    batch_sizes: Tensor | None = None
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None
    batch_first: bool = False
    unbatched: bool = False

    @classmethod
    def of(
        cls, x: Tensor | PackedSequence, *, batch_first: bool, tokens: bool = False
    ) -> Sequences:
        if isinstance(x, PackedSequence):
            return cls(*x)
        one = 1 if tokens else 2
        if x.dim() not in (one, one + 1):
            raise ValueError(
                f"input must have {one} dimensions, or {one + 1} with a batch; got {x.dim()}"
            )
        if x.dim() == one:
            return cls(x.unsqueeze(1), unbatched=True)
        return cls(x.transpose(0, 1) if batch_first else x, batch_first=batch_first)

    @property
    def rows(self) -> int:
        """N, of all steps together."""
        return len(self.x) if self.batch_sizes is not None else self.x.shape[0] * self.x.shape[1]

    @property
    def batch_size(self) -> int:
        return self.x.shape[1] if self.batch_sizes is None else int(self.batch_sizes[0])

    def take_state(self, state: Tensor, count: int, hidden_size: int) -> Tensor:
        """The caller's state, `count` × [B, H], in the order of `x`. RuntimeError: wrong shape."""
        expected = [count, self.batch_size, hidden_size]
        if self.unbatched:
            del expected[1]
        if list(state.shape) != expected:
            raise RuntimeError(f"a state must have shape {expected}, got {list(state.shape)}")
        if self.unbatched:
            return state.unsqueeze(1)
        return state if self.sorted_indices is None else state[:, self.sorted_indices]

    def give_state(self, state: Tensor) -> Tensor:
        if self.unbatched:
            return state.squeeze(1)
        return state if self.unsorted_indices is None else state[:, self.unsorted_indices]

    def give_output(self, y: Tensor) -> Tensor | PackedSequence:
        if self.batch_sizes is not None:
            return PackedSequence(y, self.batch_sizes, self.sorted_indices, self.unsorted_indices)
        if self.unbatched:
            return y.squeeze(1)
        return y.transpose(0, 1) if self.batch_first else y


@final
class Recurrent(nn.Module):
    """Recurrent layers of any cells and widths.

    Where a sequence is taken, it gives one entry a layer, and `num_layers` is its length.

    - `cell`: a name in `elman.cells`, or a `Cell`.
    - `bidirectional`: a layer reads both ways and puts out both halves, D*H wide.
    - `residual`: adds a layer's input to its output wherever the two are equally wide.
    - `initial_state`: what a call without `state` starts from; "learned" is a parameter.
    - `dropout`: on what passes from one layer to the next; with `locked_dropout` one mask serves
      all time steps (Merity et al. 2018, arXiv:1708.02182).
    - `recurrent_dropout`: on h inside the recurrent product, one mask for all time steps (Gal and
      Ghahramani 2016, arXiv:1512.05287).
    - `zoneout`: units keep their old state (Krueger et al. 2017, arXiv:1606.01305).
    - `weight_drop`: on the recurrent weights (Merity et al. 2018, arXiv:1708.02182).
    - `layer_norm`: on W x and on R h, gate by gate (Ba et al. 2016, arXiv:1607.06450), not on c.

    Masks are drawn anew at each call. Parameters bear PyTorch's names and come in its order, with
    its initial distribution, uniform within 1/√H: the same seed gives the values of `torch.nn`.
    UserError: a size below 1, a share outside [0, 1], lists of different lengths, an unknown cell,
    or an option that no layer of this stack could follow.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        cell: str | Cell | Sequence[str | Cell] = "lstm",
        *,
        bias: bool = True,
        batch_first: bool = False,
        bidirectional: bool | Sequence[bool] = False,
        residual: bool = False,
        initial_state: Literal["zero", "learned"] = "zero",
        dropout: float = 0.0,
        locked_dropout: bool = False,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        weight_drop: float = 0.0,
        layer_norm: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        shares = Shares(dropout, recurrent_dropout, zoneout, weight_drop)
        for option, share in vars(shares).items():
            if not 0 <= share <= 1:
                raise UserError(f"{option} must lie between 0 and 1, got {share}")
        if initial_state not in ("zero", "learned"):
            raise UserError(f'initial_state must be "zero" or "learned", got "{initial_state}"')
        lists = {"hidden_size": hidden_size, "cell": cell, "bidirectional": bidirectional}
        depth = _depth(num_layers, lists)
        each_size: Sequence[int] = _per_layer(hidden_size, depth)
        each_cell: Sequence[str | Cell] = _per_layer(cell, depth)
        each_both: Sequence[bool] = _per_layer(bidirectional, depth)
        layers: list[Layer] = []
        for H, name, both_ways in zip(each_size, each_cell, each_both, strict=True):
            layer = Layer(
                cell=cells.get(name),
                input_size=layers[-1].output_size if layers else input_size,
                hidden_size=H,
                bidirectional=both_ways,
                bias=bias,
                layer_norm=layer_norm,
                learned_state=initial_state == "learned",
            )
            if min(layer.input_size, layer.hidden_size) < 1:
                raise UserError(
                    f"sizes must be at least 1, got input {layer.input_size} and hidden {H}"
                )
            layers.append(layer)
        if residual and all(layer.input_size != layer.output_size for layer in layers):
            raise UserError("residual needs a layer whose output is as wide as its input")
        if (recurrent_dropout or weight_drop) and not any(x.cell.recurrent for x in layers):
            raise UserError(
                f"recurrent_dropout and weight_drop need a cell with recurrent weights; "
                f"{layers[0].cell.name} has none"
            )
        super().__init__()
        self.num_layers = len(layers)
        self.input_size = layers[0].input_size
        self.output_size = layers[-1].output_size
        self.batch_first = batch_first
        self.locked_dropout = locked_dropout
        self.residual = residual
        self._layers = tuple(layers)
        self._shares = shares
        self.cell = tuple(layer.cell for layer in layers)
        self.hidden_size = tuple(layer.hidden_size for layer in layers)
        self.bidirectional = tuple(layer.bidirectional for layer in layers)
        for k, layer in enumerate(layers):
            shapes = {f"{n}_l{k}{s}": v for s in layer.suffixes for n, v in layer.shapes().items()}
            if layer.learned_state:
                one = (len(layer.suffixes), layer.hidden_size)
                shapes |= {f"initial_{s}_l{k}": one for s in layer.cell.states}
            for name, shape in shapes.items():
                values = torch.empty(shape, device=device, dtype=dtype)
                self.register_parameter(name, nn.Parameter(values))
        self.reset_parameters()

    def forward(
        self,
        input: Tensor | PackedSequence,
        state: State | None = None,
        *,
        embedding: Tensor | None = None,
    ) -> tuple[Tensor | PackedSequence, State]:
        """`input` [T, B, I] ([B, T, I] if batch first, [T, I] for one sequence) or packed.

        Instead of vectors there may be tokens, int64 [T, B] ([B, T], [T]) or packed, each of them
        a row of `embedding` [V, I]; without one, the vector of I numbers that is 1 at the token.
        That needs no product with the input weights. IndexError: a token that has no row.

        `state` is a list, one entry a layer, each a tuple with one tensor [D, B, H] ([D, H] for one
        sequence) for each of the cell's states. The output has the form of the input, D*H wide.
        Hand the state back with the next window to go on where this one ended; to cut the gradient
        there, detach it first. ValueError, RuntimeError: wrong types, wrong shapes.
        """
        sequences = self._tokens(input, embedding) or self._sequences(input)
        if state is not None:
            state = [
                tuple(sequences.take_state(s, len(layer.suffixes), layer.hidden_size) for s in part)
                for layer, part in zip(self._layers, self._checked(state), strict=True)
            ]
        y, after = self._run(sequences, state, embedding)
        return sequences.give_output(y), [tuple(map(sequences.give_state, s)) for s in after]

    def _tokens(self, input: Tensor | PackedSequence, embedding: Tensor | None) -> Sequences | None:
        """Tokens in normal form; None if `input` holds vectors."""
        ids = input.data if isinstance(input, PackedSequence) else input
        if ids.dtype != torch.int64:
            if embedding is not None:
                raise ValueError(f"an embedding is for tokens, int64; got {ids.dtype}")
            return None
        if embedding is not None and embedding.shape != (len(embedding), self.input_size):
            raise RuntimeError(
                f"the embedding must have rows of {self.input_size}, got {list(embedding.shape)}"
            )
        symbols = self.input_size if embedding is None else len(embedding)
        if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < symbols:
            raise IndexError(f"tokens must lie in 0 .. {symbols - 1}")
        return Sequences.of(input, batch_first=self.batch_first, tokens=True)

    def _checked(self, state: State) -> State:
        expected, got = [len(c.states) for c in self.cell], [len(part) for part in state]
        if got != expected:
            raise RuntimeError(f"a state must hold {expected} tensors, layer by layer; got {got}")
        return state

    def extra_repr(self) -> str:
        names = ", ".join(cell.name for cell in self.cell)
        return f"{self.input_size}, {list(self.hidden_size)}, cell=[{names}]"

    def reset_parameters(self) -> None:
        """Draw the weights anew; norms start at one, learned states at zero."""
        for name, parameter in self.named_parameters():
            layer = self._layers[int(name.removesuffix("_reverse").rpartition("_l")[2])]
            if name.startswith("norm_"):
                nn.init.ones_(parameter)
            elif name.startswith("initial_"):
                nn.init.zeros_(parameter)
            else:
                bound = 1 / math.sqrt(layer.hidden_size)
                nn.init.uniform_(parameter, -bound, bound)

    def _sequences(self, input: Tensor | PackedSequence) -> Sequences:
        """The input in normal form. ValueError, RuntimeError: as in `torch.nn`."""
        sequences = Sequences.of(input, batch_first=self.batch_first)
        x, weight = sequences.x, cast(Tensor, self.weight_ih_l0)
        if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
            raise ValueError(f"input is {x.dtype} and the weights are {weight.dtype}; convert one")
        dims = 3 if sequences.batch_sizes is None else 2
        if x.dim() != dims or x.shape[-1] != self.input_size:
            raise RuntimeError(
                f"input must have {dims} dimensions, the last of size {self.input_size}; "
                f"got {list(x.shape)}"
            )
        return sequences

    def _run(
        self, sequences: Sequences, state: State | None, embedding: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Through every layer: `state` in the order of the batch → y and the states after."""
        x, batch_sizes = sequences.x, sequences.batch_sizes
        if self.residual and not x.is_floating_point():  # the vectors themselves are added
            x = vectors(x, cast(Tensor, self.weight_ih_l0), embedding)
        after: State = []
        own = next(self.parameters()).dtype
        for k, layer in enumerate(self._layers):
            if k > 0:
                x = self._drop(x, batch_sizes)
            before = self._initial_state(k, sequences) if state is None else state[k]
            directions = [
                self._direction(k, suffix, sequences, None if k else embedding)
                for suffix in layer.suffixes
            ]
            y, final = self._scanned(k, x, batch_sizes, before, directions)
            if autocast() is None:  # the next layer may not take bf16
                y, final = y.to(own), tuple(s.to(own) for s in final)
            x = x + y if self.residual and x.shape == y.shape else y
            after.append(final)
        return x, after

    def _scanned(
        self,
        k: int,
        x: Tensor,
        batch_sizes: Tensor | None,
        before: tuple[Tensor, ...],
        directions: Sequence[Direction],
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Layer `k` over time. `elman.probe.opened` puts a loop in its place that it can watch."""
        return scan(self._layers[k].cell, x, batch_sizes, before, directions)

    def _drop(self, x: Tensor, batch_sizes: Tensor | None) -> Tensor:
        p = self._shares.dropout
        if self.locked_dropout:
            return locked_dropout(x, p, training=self.training, batch_sizes=batch_sizes)
        return dropout(x, p, training=self.training)

    def _initial_state(self, k: int, sequences: Sequences) -> tuple[Tensor, ...]:
        layer, size = self._layers[k], sequences.batch_size
        if layer.learned_state:
            learned = [getattr(self, f"initial_{s}_l{k}") for s in layer.cell.states]
            return tuple(s.unsqueeze(1).expand(-1, size, -1) for s in learned)
        weight = cast(Tensor, getattr(self, f"weight_ih_l{k}"))
        like = sequences.x if sequences.x.is_floating_point() else weight
        zero = like.new_zeros(len(layer.suffixes), size, layer.hidden_size)
        return (zero,) * len(layer.cell.states)

    def _direction(
        self, k: int, suffix: str, sequences: Sequences, embedding: Tensor | None
    ) -> Direction:
        layer, shares = self._layers[k], self._shares
        parts: dict[str, Tensor] = {n: getattr(self, f"{n}_l{k}{suffix}") for n in layer.shapes()}
        weight, keep = parts["weight_ih"], None
        if self.training and layer.cell.recurrent:
            if shares.weight_drop:
                parts["weight_hh"] = weight_drop(
                    parts["weight_hh"], shares.weight_drop, training=True
                )
            if shares.recurrent_dropout:
                shape = (sequences.batch_size, layer.hidden_size)
                parts["mask"] = dropout_mask(weight, shape, shares.recurrent_dropout)
        if shares.zoneout:
            keep = zoneout_shares(
                weight,
                sequences.rows,
                layer.hidden_size,
                len(layer.cell.states),
                shares.zoneout,
                training=self.training,
            )
        return Direction(**parts, keep=keep, embedding=embedding)


def _depth(num_layers: int, options: Mapping[str, object]) -> int:
    """The number of layers, on which every option that is a list must agree."""
    lengths = {name: len(value) for name, value in options.items() if _is_list(value)}
    depths = set(lengths.values()) | ({num_layers} if num_layers != 1 else set())
    if len(depths) > 1:
        listed = ", ".join(f"{n} has {length} entries" for n, length in lengths.items())
        raise UserError(f"one entry a layer is needed: {listed}, and num_layers is {num_layers}")
    depth = depths.pop() if depths else num_layers
    if depth < 1:
        raise UserError(f"num_layers must be at least 1, got {depth}")
    return depth


def _per_layer(value: V | Sequence[V], depth: int) -> Sequence[V]:
    return cast("Sequence[V]", value) if _is_list(value) else [cast("V", value)] * depth


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str)
