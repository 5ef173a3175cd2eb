"""Back-propagation through time by a cell's own equations, from the last step to the first.

The equations come from the graph of each step (`derivation`). They are reckoned number by number,
and held against autograd and finite differences (`checking`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from elman.cells.cell import Cell
from elman.errors import UserError
from elman.layers.scan import input_product
from elman.probe.trace.checking import Checked, checked
from elman.probe.trace.derivation import Derived, Line, derived, matrix
from elman.probe.trace.expressions import Formula, Number, Symbol, Turned, Words, added, negative
from elman.probe.trace.forward import first_state, layer, output
from elman.probe.trace.recording import Graph, record
from elman.probe.trace.setup import Setup
from elman.probe.trace.totals import ERROR, Total, Totals, by_parameter

V = Symbol("V")


@dataclass(frozen=True)
class Reckoned:
    """An equation and its numbers."""

    line: Line
    numbers: tuple[float, ...]


@dataclass(frozen=True)
class BackwardStep:
    """One time step, counted from 1, on the way back."""

    number: int
    loss: float | None  # of this step's output; None where the loss lies above the layer
    target: tuple[float, ...]
    lines: tuple[Reckoned, ...]
    helpers: tuple[Line, ...]  # what a_i and other names of ours stand for


@dataclass(frozen=True)
class Backward:
    """The whole way back, the last step first."""

    cell: Cell
    loss: float | None
    steps: tuple[BackwardStep, ...]
    totals: tuple[Total, ...]
    checked: Checked


def backward(setup: Setup) -> Backward:
    """Every gradient of a setup, by its equation. UserError: there is no loss, as targets are
    missing; a shape that does not fit."""
    if setup.targets is None and not setup.above:
        what = "an [output] and targets" if setup.output is None else "targets"
        raise UserError(f"there is no loss to go back from; give {what}, a row for each step")
    cell, (direction, R) = setup.cell, layer(setup)
    state, graphs = first_state(setup), list[Graph]()
    for x in setup.inputs:
        graphs.append(record(cell, input_product(cell, direction, x.unsqueeze(0)), state, R))
        state = tuple(graphs[-1].results[name].value for name in cell.states)
    walk = _Walk(setup)
    steps = tuple(walk.step(at, graphs[at]) for at in reversed(range(len(graphs))))
    gradients = by_parameter(walk.totals.all(), setup)
    gradients["inputs"] = torch.cat(walk.inputs[::-1])
    gradients |= {f"state.{name}": value[0] for name, value in walk.back.items()}
    loss = None if setup.targets is None else sum(step.loss or 0.0 for step in steps)
    return Backward(cell, loss, steps, walk.totals.all(), checked(setup, gradients))


class _Walk:
    """Goes back step by step, and keeps what the step before needs."""

    def __init__(self, setup: Setup) -> None:
        self._setup, self.totals = setup, Totals(setup)
        self.back: dict[str, Tensor] = {}  # of each state, [1, H]
        self.inputs: list[Tensor] = []  # the gradients of x, [1, I] each
        self._weights = _by_gate(setup)

    def step(self, at: int, graph: Graph) -> BackwardStep:
        setup, cell = self._setup, self._setup.cell
        h = graph.results[cell.states[0]].value
        comes, values = self._comes(at, h)
        first = [
            self._told(one) for one in values if isinstance(one, Symbol) and one.when != "next"
        ]
        found = derived(cell, graph, comes)
        values |= found.values
        reckoned = [Reckoned(line, _floats(values[line.symbol])) for line in first]
        values |= self._weights
        for line in (*found.lines, _input_line(setup, found)):
            values[line.symbol] = line.formula.reckon(values).expand(line.shape)
            reckoned.append(Reckoned(line, _floats(values[line.symbol])))
        self.back = {name: values[Symbol(name, True, "back")] for name in cell.states}
        self.inputs.append(values[Symbol("x", gradient=True)])
        self.totals.add(found, setup.inputs[at], h, values)
        loss, target = None, ()
        if setup.targets is not None:
            loss = float((values[ERROR] ** 2).sum() / 2)
            target = tuple(setup.targets[at].tolist())
        return BackwardStep(at + 1, loss, target, tuple(reckoned), found.helpers)

    def _comes(
        self, at: int, h: Tensor
    ) -> tuple[dict[str, tuple[Formula, ...]], dict[Formula, Tensor]]:
        """What comes to the gradients of the states after a step from outside of it."""
        setup, comes = self._setup, dict[str, tuple[Formula, ...]]()
        values: dict[Formula, Tensor] = {}
        for k, name in enumerate(setup.cell.states):
            parts: list[Formula] = []
            if k == 0 and setup.targets is not None:
                assert setup.output is not None
                values[ERROR] = output(setup.output, h) - setup.targets[at]
                parts.append(Turned("V", V, ERROR))
            if name in setup.above:
                parts.append(Symbol(name, True, "above"))
                values[Symbol(name, True, "above")] = setup.above[name][at].unsqueeze(0)
            if self.back:
                parts.append(Symbol(name, True, "next"))
                values[Symbol(name, True, "next")] = self.back[name]
            comes[name] = tuple(parts)
        return comes, values

    def _told(self, symbol: Symbol) -> Line:
        if symbol == ERROR:
            return Line(ERROR, added(Symbol("y"), negative(Symbol("target"))))
        told = "the loss and what lies above"
        return Line(symbol, Words(told, rf"\text{{{told}}}"))


def _input_line(setup: Setup, found: Derived) -> Line:
    """`dx = W_i^T da_i + …`"""
    terms = []
    for gate, gradient in found.inputs.items():
        name = matrix("W", gate, setup.cell)
        if gradient != Number(0.0):
            terms.append(Turned(name, Symbol(name), gradient))
    return Line(Symbol("x", gradient=True), added(*terms), (1, setup.inputs.shape[1]))


def _by_gate(setup: Setup) -> dict[Formula, Tensor]:
    """The rows of each gate in each matrix, by the names that formulas use."""
    cell, w = setup.cell, setup.weights
    found: dict[Formula, Tensor] = {}
    if setup.output is not None:
        found[V] = setup.output.weight
    for kind, weight in (("W", w.weight_ih), ("R", w.weight_hh)):
        parts = () if weight is None else weight.chunk(len(cell.gates))
        found |= {
            Symbol(matrix(kind, gate, cell)): part
            for gate, part in zip(cell.gates, parts, strict=False)
        }
    return found


def _floats(x: Tensor) -> tuple[float, ...]:
    return tuple(x[0].tolist())


def whole(found: Backward, parameter: str) -> Tensor:
    """The gradient of a whole weight, gates one below the other. KeyError: there is none."""
    parts = [total.value for total in found.totals if total.parameter == parameter]
    if not parts:
        raise KeyError(parameter)
    return torch.cat(parts)
