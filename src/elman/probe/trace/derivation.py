"""The backward equations of a cell, by the chain rule from the graph of its step.

Every quantity that the cell names has a line, `dc = dh * o * (1 - tanh(c)^2) + dc_next`; so have
the sums inside its gates, which are called a_i, a_f, … after the gates where the cell has no name
for them. What has no name is written out where it is used. `dh_next` is the part of dh that comes
from the step after, `dh_back` what goes to the step before, `dh_above` what comes from the layers
above and the loss.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from elman.cells.cell import Cell
from elman.probe.trace.expressions import (
    Formula,
    Number,
    Symbol,
    Turned,
    Words,
    added,
    latex_name,
)
from elman.probe.trace.recording import Graph, Node
from elman.probe.trace.rules import depends, formula, pulled


@dataclass(frozen=True)
class Line:
    """One equation, and the shape of its numbers."""

    symbol: Symbol
    formula: Formula
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Factor:
    """A gradient that a matrix's own is made from: `dR_i = da_i h[t-1]^T`, summed over steps."""

    gate: str
    gradient: Formula
    of: Formula  # what the matrix multiplies
    value: Tensor  # its numbers, [1, H]


@dataclass(frozen=True)
class Derived:
    """The backward equations of one step, and the numbers of the forward step that they use."""

    lines: tuple[Line, ...]
    helpers: tuple[Line, ...]  # what a_i and other names of ours stand for
    inputs: Mapping[str, Formula]  # gate → the gradient of W x + b, zero if not used
    products: tuple[Factor, ...]
    values: Mapping[Formula, Tensor]  # each [1, H]


def derived(cell: Cell, graph: Graph, comes: Mapping[str, tuple[Formula, ...]]) -> Derived:
    """`comes`: what comes to the gradient of each state after the step, from outside of it."""
    return _Derivation(cell, graph).backward(comes)


def matrix(kind: str, gate: str, cell: Cell) -> str:
    """The name of a gate's part of a weight: `R_i`; of a cell with one gate `R`."""
    return f"{kind}_{gate}" if len(cell.gates) > 1 else kind


class _Derivation:
    def __init__(self, cell: Cell, graph: Graph) -> None:
        self._cell, self._graph = cell, graph
        self._order: list[Node] = []  # inputs before what is made of them
        self._users: dict[Node, int] = {}
        self._symbols: dict[Node, Symbol] = {}
        self._helpers: list[Node] = []
        for node in [*graph.results.values(), *graph.noted.values()]:
            self._visit(node)
        self._name()

    def _visit(self, node: Node) -> None:
        if node in self._users:
            return
        self._users[node] = 0
        for one in node.nodes:
            self._visit(one)
            self._users[one] += 1
        self._order.append(node)

    def _name(self) -> None:
        """Names: the cell's own, then a_i of sums inside gates, then u1, u2 of what is used twice.

        A product is known by its gate alone, as each is used in its own way.
        """
        for name, node in self._graph.states.items():
            self._symbols[node] = Symbol(name, when="before")
        for name, node in [*self._graph.noted.items(), *self._graph.results.items()]:
            self._symbols.setdefault(node, Symbol(name))
        taken = {symbol.name for symbol in self._symbols.values()}
        for gate, node in self._graph.inputs.items():
            name = f"a_{gate}" if f"a_{gate}" not in taken else f"sum_{gate}"
            sums = [one for one in self._order if one.kind == "add" and node in one.nodes]
            if node in self._symbols or (len(sums) == 1 and sums[0] in self._symbols):
                continue
            inside = sums[0] if len(sums) == 1 and self._users[node] == 1 else node
            self._symbols[inside] = Symbol(name)
            self._helpers.append(inside)
        count = 0
        for node in self._order:
            several = self._users[node] > 1 and depends(node) and node.kind != "product"
            if several and node not in self._symbols and node.kind != "input":
                count += 1
                self._symbols[node] = Symbol(f"u{count}")
                self._helpers.append(node)

    def _written(self, part: Any) -> Formula:
        """An input of an operation as formulas write it."""
        if not isinstance(part, Node):
            return Number(float(part))
        return self._symbols.get(part) or self._formula(part)

    def _formula(self, node: Node) -> Formula:
        if node.kind == "input":
            W, b = (matrix(kind, node.gates[0], self._cell) for kind in ("W", "b"))
            formal = f"{latex_name(W)} {latex_name('x', 't')} + {latex_name(b)}"
            return Words(f"{W} x + {b}", formal)
        if node.kind == "product":
            R, h = matrix("R", node.gates[0], self._cell), self._written(node.nodes[0])
            if isinstance(h, Symbol):
                return Words(f"{R} {h.text()}", f"{latex_name(R)} {h.latex()}")
            return Words(f"{R} ({h.text()})", rf"{latex_name(R)} \left({h.latex()}\right)")
        return formula(node, self._written)

    def backward(self, comes: Mapping[str, tuple[Formula, ...]]) -> Derived:
        parts: dict[Node, list[Formula]] = {node: [] for node in self._order}
        for name, node in self._graph.results.items():
            parts[node] += comes.get(name, ())
        lines: list[Line] = []
        inputs: dict[str, Formula] = {gate: Number(0.0) for gate in self._cell.gates}
        products: list[Factor] = []
        for node in self._backwards():
            gradient = self._line(node, added(*parts[node]), lines)
            if node.kind == "input":
                inputs[node.gates[0]] = gradient
            elif node.kind == "product":
                (h,) = node.nodes
                gate = node.gates[0]
                products.append(Factor(gate, gradient, self._written(h), h.value))
                name = matrix("R", gate, self._cell)
                if gradient != Number(0.0):
                    parts[h].append(Turned(name, Symbol(name), gradient))
            elif node.kind != "state" and gradient != Number(0.0):
                own = self._written(node)
                for one, part in pulled(node, gradient, self._written, own):
                    parts[one].append(part)
        return Derived(
            tuple(lines),
            tuple(Line(self._symbols[node], self._formula(node)) for node in self._helpers),
            inputs,
            tuple(products),
            {
                self._symbols.get(node) or self._formula(node): node.value
                for node in self._order
                if node in self._symbols or node.kind in ("input", "product")
            },
        )

    def _line(self, node: Node, total: Formula, lines: list[Line]) -> Formula:
        """The gradient of a node as later formulas write it, with a line of its own if it needs
        one."""
        shape = tuple(node.value.shape)
        if node.kind == "state":
            lines.append(Line(Symbol(self._symbols[node].name, True, "back"), total, shape))
            return lines[-1].symbol
        named = self._symbols.get(node)
        if named is None or named.when != "now":
            if node.kind not in ("input", "product") or _plain(total):
                return total
            gate = node.gates[0]
            named = Symbol(f"a_{gate}" if node.kind == "input" else f"Rh_{gate}")
        elif node.kind in ("input", "product") and node not in self._own() and _plain(total):
            return total
        lines.append(Line(Symbol(named.name, gradient=True), total, shape))
        return total if total == Number(0.0) else lines[-1].symbol

    def _own(self) -> set[Node]:
        """The nodes that the cell itself names."""
        return {*self._graph.noted.values(), *self._graph.results.values()}

    def _backwards(self) -> list[Node]:
        """Every node that matters after all that is made of it; sums inside gates soon after what
        they make, the states before the step last."""
        place = {node: k for k, node in enumerate(self._order)}
        waiting = {node: 0 for node in self._order if depends(node)}
        for node in waiting:
            for one in node.nodes:
                if one in waiting:
                    waiting[one] += 1
        ready = [(_late(node), -place[node], node) for node, n in waiting.items() if not n]
        queue = [(late, at) for late, at, _ in ready]
        heapq.heapify(queue)
        found: list[Node] = []
        while queue:
            _, at = heapq.heappop(queue)
            node = self._order[-at]
            found.append(node)
            for one in node.nodes:
                if one in waiting:
                    waiting[one] -= 1
                    if not waiting[one]:
                        heapq.heappush(queue, (_late(one), -place[one]))
        return found


def _late(node: Node) -> int:
    return {"input": 0, "product": 0, "state": 2}.get(node.kind, 1)


def _plain(formula: Formula) -> bool:
    return isinstance(formula, Symbol) or formula == Number(0.0)
