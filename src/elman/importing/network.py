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
    """One use of a layer: which piece it is, of what kind, and the values that go in.

    `weights` is how many numbers the file holds for it; of a layer that is used again the first
    use has them.
    """

    name: str
    kind: str  # as the file calls it: LSTM, Dense
    piece: int
    inputs: tuple[Ref, ...]
    weights: int = 0


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
        """UserError: inputs or a state that do not fit the network."""
        values, after = self._through(inputs, state)
        ys = tuple(self._at(ref, values).x for ref in self.plan.outputs)
        return ys[0] if len(ys) == 1 else ys, after

    def _through(
        self, inputs: Sequence[Tensor], state: Sequence[State | None] | None = None
    ) -> tuple[list[list[Value]], list[State]]:
        """What goes in and what each node makes of it, in order, and the states after."""
        where, carrying = self.account.source, sum(map(self.carries, self.plan.nodes))
        if len(inputs) != len(self.plan.shapes):
            wanted = counted(len(self.plan.shapes), "input")
            raise UserError(f"{where}: takes {wanted}, got {len(inputs)}")
        given = [None] * carrying if state is None else list(state)
        if len(given) != carrying:
            wanted = counted(carrying, "entry", "entries")
            raise UserError(f"{where}: a state has {wanted}, got {len(given)}")
        made, after = [[Value(x) for x in inputs]], list[State]()
        for node in self.plan.nodes:
            values = [self._at(ref, made) for ref in node.inputs]
            carries = self.carries(node)
            try:
                out, last = self.piece(node)(values, given[len(after)] if carries else None)
            except (RuntimeError, IndexError, ValueError) as error:
                raise UserError(self._misfit(node, values, error)) from error
            made.append(out)
            after += [last] if carries else []
        return made, after

    def _at(self, ref: Ref, made: Sequence[Sequence[Value]]) -> Value:
        values = made[ref.node + 1]  # the inputs come first
        if ref.k >= len(values):
            name = self.plan.nodes[ref.node].name
            raise UserError(
                f'{self.account.source}: layer "{name}" has {counted(len(values), "output")}; '
                f"number {ref.k + 1} of them is asked for"
            )
        return values[ref.k]

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
        (_, *made), _ = self._through(inputs)
        return [tuple(first.x.shape[1:]) for first, *_ in made]
