"""An imported network: layers joined as the file says, and what there is to tell of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias, final

import torch
from torch import Tensor, nn

from elman.errors import UserError
from elman.importing.pieces.piece import Piece, State, Value
from elman.importing.pieces.recurrent import Reading
from elman.wording import counted

SMALL, LARGER = 3, 4  # steps of two trial runs: a size in which they differ is that of time
LARGEST_INPUT = 50_000_000  # numbers of one sequence


class Ref(NamedTuple):
    """Which value: the output `k` of node `node`; of the inputs, input `k`."""

    node: int  # -1 for the inputs of the network
    k: int = 0


@dataclass(frozen=True)
class Node:
    """One use of a layer: which piece it is, of what kind, and the values that go in."""

    name: str
    kind: str  # as the file calls it: LSTM, Dense
    piece: int
    inputs: tuple[Ref, ...]


@dataclass(frozen=True)
class Plan:
    """How a network is joined. Nodes come after those whose values they take.

    `shapes` are those of the inputs, None for the batch and for a number of steps that may vary.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[Ref, ...]
    shapes: tuple[tuple[int | None, ...], ...]


@dataclass
class Account:
    """What was read, for people: what was left out and why, and what had to be assumed."""

    source: str
    left_out: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)


Shape: TypeAlias = tuple[str, ...]


@final
class Network(nn.Module):
    """A network of another library on Elman's layers; `elman.load_foreign` gives it.

    `y, state = network(x)`, and `network(x, state=state)` goes on where that ended. `x` is batch
    first: [B, T] ids for an embedding, else [B, T, I]; as many as the network has inputs. `y` is
    what Keras' `predict` gives, a tuple where there are several outputs. The state has one entry
    for each recurrent layer that starts from zeros, tuples of [B, H] in Keras' order, or None for
    one that is to start from zeros again.
    """

    def __init__(self, pieces: Sequence[Piece], plan: Plan, account: Account) -> None:
        super().__init__()
        self.pieces = nn.ModuleList(pieces)
        self.plan, self.account = plan, account
        self.eval()

    def piece(self, node: Node) -> Piece:
        """The layer that a node uses."""
        found = self.pieces[node.piece]
        assert isinstance(found, Piece)
        return found

    def carries(self, node: Node) -> bool:
        """Whether a node has a state of its own, which no other layer gives it."""
        return isinstance(self.piece(node), Reading) and len(node.inputs) == 1

    def forward(
        self, *inputs: Tensor, state: Sequence[State | None] | None = None
    ) -> tuple[Any, list[State]]:
        """UserError: inputs that do not fit the network."""
        if len(inputs) != len(self.plan.shapes):
            raise UserError(
                f"{self.account.source}: takes {counted(len(self.plan.shapes), 'input')}, "
                f"got {len(inputs)}"
            )
        carrying = sum(map(self.carries, self.plan.nodes))
        given = list(state) if state is not None else [None] * carrying
        if len(given) != carrying:
            raise UserError(
                f"{self.account.source}: a state has {counted(carrying, 'entry', 'entries')}, "
                f"got {len(given)}"
            )
        made: list[list[Value]] = []
        after: list[State] = []
        began = [Value(x) for x in inputs]
        for node in self.plan.nodes:
            values = [(began if r.node < 0 else made[r.node])[r.k] for r in node.inputs]
            first = given[len(after)] if self.carries(node) else None
            try:
                out, last = self.piece(node)(values, first)
            except (RuntimeError, IndexError, ValueError) as error:
                raise UserError(self._misfit(node, values, error)) from error
            made.append(out)
            if self.carries(node):
                after.append(last)
        ys = tuple((began if r.node < 0 else made[r.node])[r.k].x for r in self.plan.outputs)
        return ys[0] if len(ys) == 1 else ys, after

    def _misfit(self, node: Node, values: Sequence[Value], error: Exception) -> str:
        came = " and ".join(str(list(v.x.shape)) for v in values)
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        return f'{self.account.source}: layer "{node.name}" ({node.kind}) cannot take {came}: {why}'

    @torch.no_grad()
    def shapes(self) -> list[Shape]:
        """The shape that each node puts out, B and T where it varies, found by two trial runs.

        UserError: layers that do not fit one another, named.
        """
        small, larger = self._trial(SMALL), self._trial(LARGER)
        return [
            ("B", *("T" if a != b else str(a) for a, b in zip(one, other, strict=True)))
            for one, other in zip(small, larger, strict=True)
        ]

    def _trial(self, steps: int) -> list[tuple[int, ...]]:
        """What each node puts out for one sequence of zeros, without the batch."""
        inputs = []
        for shape in self.plan.shapes:
            sizes = [steps if n is None else n for n in shape[1:]]
            if torch.Size(sizes).numel() > LARGEST_INPUT:
                raise UserError(
                    f"{self.account.source}: an input of {list(shape)} is larger than any that is "
                    "read"
                )
            inputs.append(torch.zeros(1, *sizes))
        seen: list[tuple[int, ...]] = []

        def note(module: nn.Module, given: Any, result: Any) -> None:
            seen.append(tuple(result[0][0].x.shape[1:]))

        hooks = [self.piece(node).register_forward_hook(note) for node in self._used_once()]
        try:
            self(*inputs)
        finally:
            for hook in hooks:
                hook.remove()
        return seen

    def _used_once(self) -> list[Node]:
        """A node for each piece; its hook hears every use."""
        return list({node.piece: node for node in self.plan.nodes}.values())
