"""A cell forward, step by step: every intermediate by name, beside its equation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from elman import cells
from elman.cells.cell import Cell, Recurrence
from elman.errors import UserError
from elman.layers.scan import Direction, RecurrentProduct, input_product, no_recurrence
from elman.probe.trace.setup import Output, Setup, Weights, check, example


@dataclass(frozen=True)
class Value:
    """One line of a trace: `name = formula`, and its numbers."""

    name: str
    formula: str
    numbers: tuple[float, ...]


@dataclass(frozen=True)
class Step:
    """One time step, counted from 1: the input, then every intermediate, in order."""

    number: int
    values: tuple[Value, ...]


def trace(
    cell: str | Cell,
    weights: Weights | None = None,
    inputs: Tensor | None = None,
    states: Mapping[str, Tensor] | None = None,
    output: Output | None = None,
) -> list[Step]:
    """Run `cell` over `inputs` [T, I] from `states` (name → [H], zero where left out).

    Without weights, the numbers of `example` stand for all that is not given.
    UserError: an unknown cell, a shape that does not fit, a number that is not finite.
    """
    cell = cells.get(cell)
    if weights is None:
        built_in = example(cell)
        weights, output = built_in.weights, output or built_in.output
        inputs = built_in.inputs if inputs is None else inputs
    if inputs is None:
        raise UserError("inputs are missing; give a list of numbers or of vectors")
    return run(Setup(cell, weights, inputs, states or {}, output))


def run(setup: Setup) -> list[Step]:
    """The steps of a setup. UserError: a shape that does not fit, a number that is not finite."""
    state, (direction, R) = first_state(setup), layer(setup)
    cell = setup.cell
    formulas = dict(line.split(" = ", 1) for line in cell.equations.splitlines())
    steps = []
    for number, x in enumerate(setup.inputs, 1):
        noted: dict[str, Tensor] = {}
        Wx = input_product(cell, direction, x.unsqueeze(0))
        state = cell.step(Wx, state, R, noted.update)
        values = [Value("x", "input", floats(x))]
        values += [Value(name, formulas[name], floats(noted[name][0])) for name in formulas]
        if setup.output is not None:
            values.append(Value("y", "V h + b", floats(output(setup.output, state[0])[0])))
        steps.append(Step(number, tuple(values)))
    return steps


def ending(setup: Setup, last: int) -> Setup:
    """The last steps of a setup alone, from the states in which the steps before them end."""
    before = len(setup.inputs) - last
    if before <= 0:
        return setup
    state, (direction, R) = first_state(setup), layer(setup)
    for x in setup.inputs[:before]:
        state = setup.cell.step(input_product(setup.cell, direction, x.unsqueeze(0)), state, R)
    return replace(
        setup,
        inputs=setup.inputs[before:],
        states={name: s[0] for name, s in zip(setup.cell.states, state, strict=True)},
        targets=None if setup.targets is None else setup.targets[before:],
        above={name: part[before:] for name, part in setup.above.items()},
    )


def first_state(setup: Setup) -> tuple[Tensor, ...]:
    """The states before the first step, [1, H] each. UserError: numbers that do not fit."""
    zero = torch.zeros(check(setup), dtype=torch.float64)
    return tuple(setup.states.get(name, zero).unsqueeze(0) for name in setup.cell.states)


def layer(setup: Setup) -> tuple[Direction, Recurrence]:
    """The layer that a setup describes, and its R."""
    w = setup.weights
    direction = Direction(w.weight_ih, w.weight_hh, w.bias_ih, w.bias_hh)
    recurrent = setup.cell.recurrent
    return direction, RecurrentProduct(setup.cell, direction) if recurrent else no_recurrence


def output(output: Output, h: Tensor) -> Tensor:
    """`V h + b`: [1, H] → [1, O]."""
    y = h @ output.weight.T
    return y if output.bias is None else y + output.bias


def floats(x: Tensor) -> tuple[float, ...]:
    return tuple(x.tolist())


def values(steps: Sequence[Step], name: str) -> Tensor:
    """The numbers of one quantity at every step, [T, n]."""
    return torch.tensor(
        [one.numbers for step in steps for one in step.values if one.name == name],
        dtype=torch.float64,
    )
