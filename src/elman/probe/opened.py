"""`opened`: the recurrent layers of any PyTorch model, run where every step can be seen.

    with opened(model) as layers:
        loss = model(x)
    layers.passes[0].values("f")  # [T, B, H], the forget gate at every step

Meanwhile each layer runs by its cell's own equations, one step after the other, in evaluation mode.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from elman.cells.cell import Cell, Note, Recurrence, ignore
from elman.errors import UserError
from elman.layers import dropin
from elman.layers.dropin import CELLS
from elman.layers.recurrent import Recurrent, Sequences
from elman.layers.scan import (
    Direction,
    RecurrentProduct,
    State,
    no_recurrence,
    reference,
    vectors,
    zoned_out,
)

# Classes whose forward is known; a subclass that keeps it is known too.
FORWARDS = frozenset(
    layer.forward for layer in (nn.RNN, nn.LSTM, nn.GRU, dropin.RNN, dropin.LSTM, dropin.GRU)
)
COMPILED = frozenset(("RNN", "LSTM", "GRU"))  # the names of TorchScript's and of quantised layers


@dataclass(frozen=True, eq=False)
class Rows:
    """How the rows of a batch lie at each step: those still alive, the longest sequences first."""

    sizes: tuple[int, ...]  # rows alive at each step, [T], never growing
    unsorted: Tensor | None = None  # [B], from the caller's order to the place among the rows

    @functools.cached_property
    def lengths(self) -> Tensor:
        """The steps of each sequence [B], in the caller's order, on the CPU."""
        alive = torch.tensor(self.sizes)
        lengths = (alive[:, None] > torch.arange(self.sizes[0])).sum(0)
        return lengths if self.unsorted is None else lengths[self.unsorted.cpu()]

    @property
    def alive(self) -> Tensor:
        """Which steps are no padding, bool [T, B], on the CPU."""
        return torch.arange(len(self.sizes))[:, None] < self.lengths

    def padded(self, steps: Sequence[Tensor]) -> Tensor:
        """[n, F] for each step → [T, B, F] in the caller's order, zero where there is padding."""
        B = self.sizes[0]
        full = torch.stack([s if len(s) == B else F.pad(s, (0, 0, 0, B - len(s))) for s in steps])
        return full if self.unsorted is None else full[:, self.unsorted]

    def cut(self, padded: Tensor) -> list[Tensor]:
        """The way back: [T, B, F] → [n, F] for each step."""
        if self.unsorted is not None:
            sorted_ = torch.empty_like(padded)
            sorted_[:, self.unsorted] = padded
            padded = sorted_
        return [step[:n] for step, n in zip(padded, self.sizes, strict=True)]


@dataclass(frozen=True, eq=False)
class Step:
    """One step of one direction of a layer: the rows alive at it, the longest sequences first."""

    Wx: Tensor  # [n, G*H], the input's share of every gate, with its bias
    before: State  # each [n, H]
    after: State
    noted: Mapping[str, Tensor]  # every intermediate by its name in the cell's equations


@dataclass(frozen=True, eq=False)
class Pass:
    """One direction of one layer over one batch, step by step.

    `steps` are in the order of time, also where they were read backwards, and hold the rows that
    are alive. Their tensors are those of the pass itself, so that with gradients each is a place
    in its graph; `values` and `previous` are copies of them, padded, in the caller's order.
    """

    path: str  # of the module, as in `named_modules`; empty for the model itself
    layer: int  # in the module, from 0
    reverse: bool
    call: int  # which call of the module, from 0
    cell: Cell
    rows: Rows
    direction: Direction  # the weights as they were
    x: Tensor  # what the layer read, vectors [T, B, I] or packed [N, I]; rows sorted
    first: State  # the states before the first step, [B, H] each; rows sorted
    steps: list[Step] = field(default_factory=list)

    @property
    def name(self) -> str:
        """As people read it: `encoder, layer 1, backward`."""
        parts = [self.path] if self.path else []
        parts.append(f"layer {self.layer + 1}")
        return ", ".join([*parts, "backward"] if self.reverse else parts)

    @property
    def hidden_size(self) -> int:
        return self.first[0].shape[-1]

    @property
    def names(self) -> tuple[str, ...]:
        """What `values` knows: the states, and all that the cell notes."""
        return tuple(dict.fromkeys([*self.cell.states, *self.steps[0].noted]))

    def values(self, name: str) -> Tensor:
        """A state after each step, or what the cell noted in it, [T, B, H]; zero in padding.

        UserError: no such name.
        """
        if name in self.cell.states:
            at = self.cell.states.index(name)
            return self.rows.padded([step.after[at] for step in self.steps])
        if name not in self.names:
            raise UserError(f'{self.cell.name} has no "{name}"; it has {", ".join(self.names)}')
        return self.rows.padded([step.noted[name] for step in self.steps])

    def previous(self, state: str) -> Tensor:
        """A state before each step, [T, B, H]; zero in padding."""
        at = self.cell.states.index(state)
        return self.rows.padded([step.before[at] for step in self.steps])

    @functools.cached_property
    def R(self) -> Recurrence:
        """The recurrent product, with the weights as they were."""
        return RecurrentProduct(self.cell, self.direction) if self.cell.recurrent else no_recurrence

    def advance(self, Wx: Tensor, state: State, note: Note = ignore) -> State:
        """One step of this layer from any states [N, H], its share of the input `Wx` [N, G*H]."""
        after = self.cell.step(Wx, state, self.R, note)
        keep = self.direction.keep
        return after if keep is None else zoned_out(after, state, keep)


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a recurrent module: its passes, layer by layer, and what it gave to the model."""

    path: str
    number: int  # from 0
    rows: Rows
    passes: tuple[Pass, ...]
    output: Tensor  # [T, B, D*H] or packed [N, D*H]; rows sorted
    finals: tuple[State, ...]  # for each layer the states after it, [D, B, H]; rows sorted


@dataclass(frozen=True, eq=False)
class Layers:
    """What was seen while the model ran, and which recurrent modules could not be looked into."""

    calls: list[Call] = field(default_factory=list)
    left: tuple[tuple[str, str], ...] = ()  # path and reason

    @property
    def passes(self) -> list[Pass]:
        """Every pass of every call, in order."""
        return [one for call in self.calls for one in call.passes]

    def of(self, path: str, layer: int = 0, *, reverse: bool = False) -> list[Pass]:
        """The passes of one layer in one direction, call by call."""
        place = (path, layer, reverse)
        return [p for p in self.passes if (p.path, p.layer, p.reverse) == place]


Change: TypeAlias = Callable[
    [str, int, State, Sequence[Direction]], tuple[State, Sequence[Direction]]
]
"""`(path, layer, first states [D, B, H], directions)` → what the layer runs with instead."""


@contextmanager
def opened(
    model: nn.Module, *, gradients: bool = False, change: Change | None = None
) -> Iterator[Layers]:
    """Run every recurrent layer inside `model` step by step, and keep what is seen.

    Layers of `torch.nn` and of `elman.nn`, at any depth; `left` of the result names those that
    cannot be opened, with the reason. The model is in evaluation mode meanwhile, on its own device
    and in its own type; the numbers are those of the closed model but for rounding. Afterwards
    everything is as it was: modes, hooks, gradients, random numbers.

    With `gradients` all that is kept hangs together in one graph, also where parameters are frozen
    or tokens are read, for `torch.autograd.grad`; without, no graph is made at all. `change` puts
    other first states or weights in the place of a layer's own.
    UserError: no recurrent layer that can be opened; a model that is open already.
    """
    found, left = recurrent_modules(model)
    if not found:
        raise UserError("no recurrent layer to look into: " + (_reasons(left) or "there is none"))
    if any("_run" in vars(module) or "forward" in vars(module) for module in found.values()):
        raise UserError("this model is open already, or its forward was replaced")
    layers = Layers(left=tuple(left.items()))
    modes = [(module, module.training) for module in model.modules()]
    devices = {p.device for p in model.parameters() if p.is_cuda}
    with torch.random.fork_rng(devices=list(devices)), torch.set_grad_enabled(gradients):
        try:
            model.eval()
            for path, module in found.items():
                _Recorder(path, layers, gradients, change).open(module)
            yield layers
        finally:
            for module in found.values():
                for name in ("_run", "_scanned", "forward"):
                    vars(module).pop(name, None)
            for module, training in modes:
                module.training = training


def recurrent_modules(model: nn.Module) -> tuple[dict[str, nn.Module], dict[str, str]]:
    """The recurrent modules of a model that `opened` looks into, by path, and why not the others.

    TypeError: not a module.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"a torch.nn.Module is needed, got {type(model).__name__}")
    found: dict[str, nn.Module] = {}
    left: dict[str, str] = {}
    for path, module in model.named_modules():
        if isinstance(module, Recurrent):
            found[path] = module
        elif (why := _why_closed(module)) is not None:
            left[path] = why
        elif isinstance(module, nn.RNNBase):
            found[path] = module
    return found, left


def _why_closed(module: nn.Module) -> str | None:
    """Why a recurrent module cannot be looked into; None for those that can, and for all others."""
    kind = type(module)
    if isinstance(module, torch.jit.ScriptModule):
        return "compiled by TorchScript" if module.original_name in COMPILED else None
    if kind.__module__.startswith("torch.ao."):
        return "quantised" if kind.__name__ in COMPILED else None
    if isinstance(module, nn.RNNCellBase):
        return "a cell that a loop in Python asks step by step"
    if not isinstance(module, nn.RNNBase):
        return None
    if kind.forward not in FORWARDS:
        return f"{kind.__qualname__} has a forward of its own"
    if module.proj_size:
        return "it has a projection (proj_size)"
    return None


def _reasons(left: Mapping[str, str]) -> str:
    return "; ".join(f"{path or 'the model'}: {why}" for path, why in left.items())


class _Recorder:
    """Runs one module by loops that it watches, and adds each call to what was seen."""

    def __init__(
        self, path: str, layers: Layers, gradients: bool, change: Change | None = None
    ) -> None:
        self._path, self._layers, self._gradients = path, layers, gradients
        self._change = change
        self._number = 0
        self._rows = Rows(())
        self._passes: list[Pass] = []

    def open(self, module: nn.Module) -> None:
        """Put the loops in the place of the module's own, on the object alone."""
        if isinstance(module, Recurrent):
            vars(module)["_run"] = functools.partial(self._run, module)
            vars(module)["_scanned"] = functools.partial(self._scanned, module)
        else:
            assert isinstance(module, nn.RNNBase)
            vars(module)["forward"] = functools.partial(self._forward, module)

    def _run(
        self,
        module: Recurrent,
        sequences: Sequences,
        state: list[State] | None,
        embedding: Tensor | None = None,
    ) -> tuple[Tensor, list[State]]:
        self._begin(sequences)
        y, finals = Recurrent._run(module, sequences, state, embedding)
        self._end(y, finals)
        return y, finals

    def _scanned(
        self,
        module: Recurrent,
        k: int,
        x: Tensor,
        batch_sizes: Tensor | None,
        before: State,
        directions: Sequence[Direction],
    ) -> tuple[Tensor, State]:
        return self._layer(k, module.cell[k], x, batch_sizes, before, directions)

    def _forward(
        self,
        module: nn.RNNBase,
        input: Tensor | PackedSequence,
        hx: Tensor | State | None = None,
    ) -> tuple[Tensor | PackedSequence, Tensor | State]:
        """As `forward` of `torch.nn`, whose results have the caller's form and order."""
        if not isinstance(input, PackedSequence) and input.dim() not in (2, 3):
            raise ValueError(f"input must have 2 dimensions, or 3 with a batch; got {input.dim()}")
        sequences = Sequences.of(input, batch_first=module.batch_first)
        cell, weights, H = CELLS[module.mode], module.all_weights, module.hidden_size
        if hx is None:
            zero = sequences.x.new_zeros(len(weights), sequences.batch_size, H)
            state: State = (zero,) * len(cell.states)
        else:
            given = (hx,) if isinstance(hx, Tensor) else hx
            state = tuple(sequences.take_state(s, len(weights), H) for s in given)
        self._begin(sequences)
        x, D = sequences.x, 2 if module.bidirectional else 1
        finals: list[State] = []
        for k in range(module.num_layers):
            at = slice(k * D, (k + 1) * D)
            directions = [_direction(module, parts) for parts in weights[at]]
            before = tuple(s[at] for s in state)
            x, final = self._layer(k, cell, x, sequences.batch_sizes, before, directions)
            finals.append(final)
        self._end(x, finals)
        last = tuple(sequences.give_state(torch.cat(s)) for s in zip(*finals, strict=True))
        return sequences.give_output(x), last if len(last) > 1 else last[0]

    def _begin(self, sequences: Sequences) -> None:
        sizes = (
            (sequences.batch_size,) * len(sequences.x)
            if sequences.batch_sizes is None
            else tuple(sequences.batch_sizes.tolist())
        )
        if not sizes:
            raise RuntimeError("a sequence needs at least one time step, got none")
        self._rows = Rows(sizes, sequences.unsorted_indices)
        self._passes = []

    def _layer(
        self,
        k: int,
        cell: Cell,
        x: Tensor,
        batch_sizes: Tensor | None,
        before: State,
        directions: Sequence[Direction],
    ) -> tuple[Tensor, State]:
        if self._change is not None:
            before, directions = self._change(self._path, k, before, directions)
        x = vectors(x, directions[0].weight_ih, directions[0].embedding)
        if self._gradients:
            # What the layer starts from must be in the graph, or frozen layers would have none.
            x = x if x.requires_grad else x.detach().requires_grad_()
            before = tuple(s if s.requires_grad else s.detach().requires_grad_() for s in before)
        passes = [
            Pass(
                self._path, k, d == 1, self._number, cell, self._rows, direction, x,
                tuple(s[d] for s in before),
            )
            for d, direction in enumerate(directions)
        ]  # fmt: skip

        def watch(
            direction: int, Wx: Tensor, before: State, after: State, noted: dict[str, Tensor]
        ) -> None:
            passes[direction].steps.append(Step(Wx, before, after, noted))

        y, final = reference(cell, x, batch_sizes, before, directions, watch)
        for seen in passes:
            if seen.reverse:
                seen.steps.reverse()
        self._passes += passes
        return y, final

    def _end(self, y: Tensor, finals: Sequence[State]) -> None:
        passes = tuple(self._passes)
        call = Call(self._path, self._number, self._rows, passes, y, tuple(finals))
        self._layers.calls.append(call)
        self._number += 1


def _direction(module: nn.RNNBase, parts: Sequence[Tensor]) -> Direction:
    """One direction of a layer of `torch.nn`, its weights in the order of `all_weights`."""
    weight_ih, weight_hh, *biases = parts
    bias_ih, bias_hh = biases if module.bias else (None, None)
    return Direction(weight_ih, weight_hh, bias_ih, bias_hh)
