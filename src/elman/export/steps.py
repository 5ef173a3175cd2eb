"""A cell's step as lines of a program, read off what the step does to tensors."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elman import cells
from elman.cells.cell import Cell
from elman.errors import UserError
from elman.export.program import Array, Line, Step
from elman.probe.trace.recording import Node, record
from elman.probe.trace.rules import depends

NATIVE = frozenset(map(cells.get, ("lstm", "gru", "gru-reset-before", "rnn", "rnn-relu")))
SAME = frozenset(
    {"add", "sub", "mul", "div", "maximum", "minimum", "pow", "neg", "abs", "exp", "log", "sqrt",
     "sin", "cos", "sigmoid", "tanh", "relu", "gt", "ge", "lt", "le", "eq", "where"}
)  # fmt: skip


@functools.cache
def step_of(cell: Cell, hidden_size: int) -> Step:
    """UserError: the step does something to tensors that no export can say."""
    H, G = hidden_size, len(cell.gates)
    # Numbers that differ from unit to unit, so that nothing is taken for a constant by chance.
    draw = torch.Generator().manual_seed(0)
    Wx, state = _drawn(draw, 1, G * H), [_drawn(draw, 1, H) for _ in cell.states]
    R = _drawn(draw, G * H, H)

    def product(h: Tensor, *gates: str) -> Tensor:
        at = [cell.gates.index(gate) for gate in gates or cell.gates]
        return h @ torch.cat([R[k * H : (k + 1) * H] for k in at]).T

    graph = record(cell, Wx, state, product)
    lines = _Lines(cell, H)
    for gate, node in graph.inputs.items():
        lines.names[node] = f"Wx_{gate}"
    for name, node in graph.states.items():
        lines.names[node] = name
    for name, node in graph.noted.items():
        lines.wanted.setdefault(node, f"{name}_after" if name in cell.states else name)
    results = tuple(lines.name(node) for node in graph.results.values())
    return Step(
        cell.name, cell.gates, cell.states, tuple(lines.lines), results, lines.constants,
        cell in NATIVE,
    )  # fmt: skip


def _drawn(draw: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=draw, dtype=torch.float64)


class _Lines:
    """Lines in the order in which they can be reckoned, each node once."""

    def __init__(self, cell: Cell, hidden_size: int) -> None:
        self.cell, self.hidden_size = cell, hidden_size
        self.lines: list[Line] = []
        self.constants: dict[str, Array] = {}
        self.names: dict[Node, str] = {}
        self.wanted: dict[Node, str] = {}

    def name(self, node: Node) -> str:
        """The name under which a node's numbers are."""
        if node not in self.names:
            self.names[node] = self._written(node)
        return self.names[node]

    def _written(self, node: Node) -> str:
        if not depends(node):
            return self._constant(node.value)
        if node.kind == "product":
            (h,), (gate,) = node.inputs, node.gates
            return self._line(node, "product", [h], gate)
        kind, inputs = node.kind, [_plain(part) for part in node.inputs]
        alpha = node.keywords.get("alpha", 1)
        if alpha != 1 or node.keywords.get("rounding_mode"):
            raise self._refused(f"{kind} with options")
        if kind in SAME:
            return self._line(node, kind, inputs)
        match kind, inputs:
            case "clone", [x]:
                return self.name(x)
            case "rsub", [a, b]:
                return self._line(node, "sub", [b, a])
            case "reciprocal", [x]:
                return self._line(node, "div", [1.0, x])
            case "rsqrt", [x]:
                return self._line(node, "div", [1.0, self._new("sqrt", x)])
            case "square", [x]:
                return self._line(node, "mul", [x, x])
            case "silu", [x]:
                return self._line(node, "mul", [x, self._new("sigmoid", x)])
            case "log1p", [x]:
                return self._line(node, "log", [self._new("add", 1.0, x)])
            case "clamp_min", [x, least]:
                return self._line(node, "maximum", [x, least])
            case "lerp", [a, b, share]:
                gap = self._new("sub", b, a)
                return self._line(node, "add", [a, self._new("mul", share, gap)])
            case "logaddexp", [a, b]:
                return self._logaddexp(node, a, b)
            case "softplus", [x]:
                return self._logaddexp(node, x, 0.0)
        raise self._refused(kind)

    def _logaddexp(self, node: Node, a: Node | float, b: Node | float) -> str:
        """The greater of both, and log(1 + exp(-gap)), which never overflows."""
        gap = self._new("abs", self._new("sub", a, b))
        small = self._new("exp", self._new("neg", gap))
        rest = self._new("log", self._new("add", 1.0, small))
        return self._line(node, "add", [self._new("maximum", a, b), rest])

    def _line(
        self, node: Node, function: str, inputs: Sequence[Node | str | float], gate: str = ""
    ) -> str:
        return self._new(function, *inputs, out=self.wanted.get(node, ""), gate=gate)

    def _new(
        self, function: str, *inputs: Node | str | float, out: str = "", gate: str = ""
    ) -> str:
        names = tuple(self.name(one) if isinstance(one, Node) else one for one in inputs)
        out = out or f"v{len(self.lines)}"
        self.lines.append(Line(out, function, names, gate))
        return out

    def _constant(self, value: Tensor) -> str:
        name = f"constant{len(self.constants)}"
        numbers = value.double().numpy().reshape(-1)
        self.constants[name] = np.broadcast_to(numbers, (self.hidden_size,)).copy()
        return name

    def _refused(self, what: str) -> UserError:
        return UserError(
            f"the cell {self.cell.name} cannot leave: its step calls {what}; "
            f"known: {', '.join(sorted(SAME))}"
        )


def _plain(part: Any) -> Any:
    """An input of a node: a node, or a number."""
    return part if isinstance(part, Node) else float(part)
