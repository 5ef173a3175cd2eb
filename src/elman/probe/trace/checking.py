"""Gradients held against two independent computations: autograd, and finite differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from elman.layers.scan import input_product
from elman.probe.trace.forward import first_state, layer, output
from elman.probe.trace.setup import Output, Setup

NUDGE = 1e-6  # by which a number is moved to see what the loss does
TRIED = 100  # numbers that are moved, evenly spread, where there are more
ALIKE, NEAR = 1e-10, 1e-6  # of the largest gradient: rounding, and rounding over the nudge


@dataclass(frozen=True)
class Checked:
    """How far the gradients lie from those of other computations, at most."""

    largest: float  # of the gradients themselves
    autograd: float
    differences: float
    tried: int  # numbers that were moved for finite differences

    @property
    def holds(self) -> bool:
        """Whether they are equal but for rounding."""
        size = max(self.largest, 1e-3)
        return self.autograd <= ALIKE * size and self.differences <= NEAR * max(size, 1.0)

    def text(self) -> str:
        told = (
            f"autograd to {self.autograd:.1e}, finite differences to {self.differences:.1e} "
            f"({self.tried} numbers), where the largest gradient is {self.largest:.3g}"
        )
        if self.holds:
            return f"checked: equal to {told}"
        return f"WARNING: these equations do not hold for this cell: they agree with {told}"


def checked(setup: Setup, gradients: Mapping[str, Tensor]) -> Checked:
    """Gradients by name: those of weights, `output.weight`, `inputs`, and `state.h` of first
    states."""
    numbers = parts(setup)
    own = {name: numbers[name] for name in gradients}
    leaves = {name: value.clone().requires_grad_() for name, value in own.items()}
    found = torch.autograd.grad(
        loss(put(setup, leaves)), list(leaves.values()), allow_unused=True, materialize_grads=True
    )
    apart = max(
        float((gradients[name] - other).abs().max())
        for name, other in zip(leaves, found, strict=True)
    )
    places = [(name, k) for name, value in own.items() for k in range(value.numel())]
    places = places[:: -(-len(places) // TRIED)]
    moved = max(
        abs(float(gradients[name].flatten()[k]) - _slope(setup, own, name, k)) for name, k in places
    )
    largest = max(float(value.abs().max()) for value in gradients.values())
    return Checked(largest, apart, moved, len(places))


def loss(setup: Setup) -> Tensor:
    """The loss that a backward trace is of, by the cell's own steps."""
    state, (direction, R) = first_state(setup), layer(setup)
    total = torch.zeros((), dtype=torch.float64)
    for at, x in enumerate(setup.inputs):
        state = setup.cell.step(input_product(setup.cell, direction, x.unsqueeze(0)), state, R)
        if setup.targets is not None:
            assert setup.output is not None
            total = total + ((output(setup.output, state[0]) - setup.targets[at]) ** 2).sum() / 2
        for name, above in setup.above.items():
            total = total + (state[setup.cell.states.index(name)][0] * above[at]).sum()
    return total


def parts(setup: Setup) -> dict[str, Tensor]:
    """Every number that a loss depends on, by the names of `checked`."""
    zero = torch.zeros(first_state(setup)[0].shape[-1], dtype=torch.float64)
    found: dict[str, Tensor] = {
        name: value for name, value in vars(setup.weights).items() if value is not None
    }
    if setup.output is not None:
        found |= {
            f"output.{name}": value
            for name, value in vars(setup.output).items()
            if value is not None
        }
    found["inputs"] = setup.inputs
    return found | {f"state.{s}": setup.states.get(s, zero) for s in setup.cell.states}


def put(setup: Setup, values: Mapping[str, Tensor]) -> Setup:
    """The setup with other numbers for some."""
    own = {**parts(setup), **values}
    weights = {name: own[name] for name, old in vars(setup.weights).items() if old is not None}
    made = replace(
        setup,
        weights=replace(setup.weights, **weights),
        inputs=own["inputs"],
        states={s: own[f"state.{s}"] for s in setup.cell.states},
    )
    if setup.output is None:
        return made
    outputs = {n: own[f"output.{n}"] for n, old in vars(setup.output).items() if old is not None}
    return replace(made, output=Output(**outputs))


def _slope(setup: Setup, own: Mapping[str, Tensor], name: str, k: int) -> float:
    """How the loss changes with one number: a central difference."""

    def moved(by: float) -> float:
        value = own[name].clone()
        value.view(-1)[k] += by
        with torch.no_grad():
            return float(loss(put(setup, {name: value})))

    return (moved(NUDGE) - moved(-NUDGE)) / (2 * NUDGE)
