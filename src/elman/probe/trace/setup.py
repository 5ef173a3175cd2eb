"""What a trace needs: a cell, its weights, inputs, first states; an output and its targets.

The numbers are float64. `example` has some for every cell, for `rnn` those of the tutorials.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from elman import cells
from elman.cells.cell import Cell
from elman.errors import UserError, unknown_name


@dataclass(frozen=True)
class Weights:
    """The weights of a cell, in PyTorch's layout; float64."""

    weight_ih: Tensor  # [G*H, I]
    weight_hh: Tensor | None = None  # [G*H, H]; None for a cell without recurrent weights
    bias_ih: Tensor | None = None  # [G*H]
    bias_hh: Tensor | None = None  # [G*H]


@dataclass(frozen=True)
class Output:
    """A linear output, `y = V h + b`; float64."""

    weight: Tensor  # [O, H]
    bias: Tensor | None = None  # [O]


@dataclass(frozen=True)
class Setup:
    """All that a trace needs.

    The loss of a backward trace is the sum over steps and outputs of (y - target)^2 / 2 or, where a
    layer is part of a larger network, whatever that network's is: `above` holds then what comes to
    the gradient of each state at each step from outside of the layer.
    """

    cell: Cell
    weights: Weights
    inputs: Tensor  # [T, I]
    states: Mapping[str, Tensor]  # name → [H]; those left out start at zero
    output: Output | None = None
    targets: Tensor | None = None  # [T, O]
    above: Mapping[str, Tensor] = field(default_factory=dict)  # state → [T, H]


def example(cell: str | Cell) -> Setup:
    """Built-in numbers for any cell, H = 2, I = 1, T = 2: for `rnn` those of the tutorials.

    The target of each step is the input of the next: 1, 2 goes on with 3.
    The first gate has the tutorials' weights, each further gate the same less 0.2, 0.4, …
    """
    cell = cells.get(cell)
    shifts = [round(0.2 * k, 1) for k in range(len(cell.gates))]

    def each_gate(first: list[list[float]]) -> Tensor:
        rows = [[round(value - shift, 1) for value in row] for shift in shifts for row in first]
        return torch.tensor(rows, dtype=torch.float64)

    weights = Weights(
        weight_ih=each_gate([[0.5], [0.6]]),
        weight_hh=each_gate([[0.1, 0.3], [0.2, 0.4]]) if cell.recurrent else None,
        bias_ih=torch.tensor([0.1, -0.1] * len(cell.gates), dtype=torch.float64),
    )
    output = Output(_numbers([[0.1, 0.2]]), _numbers([0.1]))
    inputs, targets = _numbers([[1.0], [2.0]]), _numbers([[2.0], [3.0]])
    return Setup(cell, weights, inputs, {}, output, targets)


def _numbers(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def check(setup: Setup, from_left: bool = False) -> int:
    """The hidden size, once everything fits it; messages give shapes in the layout of the file."""
    cell, w = setup.cell, setup.weights
    gates = len(cell.gates)
    if not cell.recurrent and (w.weight_hh is not None or w.bias_hh is not None):
        raise UserError(f"{cell.name} has no recurrent weights; leave out weight_hh and bias_hh")
    if w.weight_hh is not None:
        hidden_size = w.weight_hh.shape[-1]
    elif cell.recurrent:
        raise UserError("weight_hh is missing in [weights]")
    elif len(w.weight_ih) % gates:
        raise UserError(f"weight_ih must have rows for {gates} gates, got {len(w.weight_ih)} rows")
    else:
        hidden_size = len(w.weight_ih) // gates
    rows = gates * hidden_size
    _fits("inputs", setup.inputs, (len(setup.inputs), setup.inputs.shape[-1]))
    _fits("weight_hh", w.weight_hh, (rows, hidden_size), from_left)
    _fits("weight_ih", w.weight_ih, (rows, setup.inputs.shape[-1]), from_left)
    _fits("bias_ih", w.bias_ih, (rows,))
    _fits("bias_hh", w.bias_hh, (rows,))
    for name in [*setup.states, *setup.above]:
        if name not in cell.states:
            raise unknown_name("key in [state]", name, cell.states)
    for name, state in setup.states.items():
        _fits(f"state {name}", state, (hidden_size,))
    if setup.output is not None:
        outputs = len(setup.output.weight)
        _fits("output weight", setup.output.weight, (outputs, hidden_size), from_left)
        _fits("output bias", setup.output.bias, (outputs,))
        _fits("targets", setup.targets, (len(setup.inputs), outputs))
    elif setup.targets is not None:
        raise UserError("targets are for outputs; give an [output]")
    for name, above in setup.above.items():
        _fits(f"what comes to {name} from above", above, (len(setup.inputs), hidden_size))
    return hidden_size


def _fits(
    name: str, tensor: Tensor | None, shape: tuple[int, ...], from_left: bool = False
) -> None:
    if tensor is None:
        return
    if tuple(tensor.shape) != shape:
        turn = -1 if from_left else 1
        came, fits = (" x ".join(map(str, s[::turn])) for s in (tuple(tensor.shape), shape))
        raise UserError(f"{name} has shape {came}; {fits} fits the other numbers")
    if tensor.dtype != torch.float64 or not tensor.isfinite().all():
        raise UserError(f"{name} must hold finite float64 numbers")
