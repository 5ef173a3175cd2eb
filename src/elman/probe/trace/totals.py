"""The gradients of weights, added up over the steps: `dR_i = da_i h[t-1]^T`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from elman.probe.trace.derivation import Derived, matrix
from elman.probe.trace.expressions import Formula, Number, Symbol, latex_name
from elman.probe.trace.setup import Setup

ERROR = Symbol("y", gradient=True)


@dataclass(frozen=True)
class Total:
    """The gradient of one gate's part of a weight, and the equation of what each step adds."""

    name: str  # "W_i", "R_i", "b_i", "V"
    parameter: str  # "weight_ih", …, "output.weight"
    gradient: Formula
    of: Formula | None  # what the weight multiplies; None for a bias
    value: Tensor  # [rows, columns], or [rows]

    def text(self) -> str:
        by = "" if self.of is None else f" ({self.of.text()})^T"
        by = by.replace("(", "").replace(")", "") if isinstance(self.of, Symbol) else by
        return f"d{self.name} = sum of {self.gradient.text()}{by}"

    def latex(self) -> str:
        by = ""
        if self.of is not None:
            of = self.of.latex()
            by = rf"\, {{{of}}}^{{\top}}" if isinstance(self.of, Symbol) else (
                rf"\, \left({of}\right)^{{\top}}")  # fmt: skip
        return rf"\mathrm{{d}}{latex_name(self.name)} = \sum_{{t}} {self.gradient.latex()}{by}"


class Totals:
    """Sums that grow step by step."""

    def __init__(self, setup: Setup) -> None:
        self._setup, self._found = setup, dict[tuple[str, str], Total]()

    def add(self, found: Derived, x: Tensor, h: Tensor, values: Mapping[Formula, Tensor]) -> None:
        """What a step adds: `x` [I] was read, `h` [1, H] put out."""
        cell, w, like = self._setup.cell, self._setup.weights, h
        for gate, gradient in found.inputs.items():
            by = gradient.reckon(values).expand_as(like)[0]
            self._add("weight_ih", matrix("W", gate, cell), gradient, by, Symbol("x"), x)
            if w.bias_ih is not None:
                self._add("bias_ih", matrix("b", gate, cell), gradient, by)
        for factor in found.products:
            by, gate = factor.gradient.reckon(values).expand_as(like)[0], factor.gate
            name = matrix("R", gate, cell)
            self._add("weight_hh", name, factor.gradient, by, factor.of, factor.value[0])
            if w.bias_hh is not None:
                self._add("bias_hh", matrix("bR", gate, cell), factor.gradient, by)
        if self._setup.output is not None and ERROR in values:
            error = values[ERROR][0]
            self._add("output.weight", "V", ERROR, error, Symbol(cell.states[0]), h[0])
            if self._setup.output.bias is not None:
                self._add("output.bias", "b_V", ERROR, error)

    def _add(
        self, parameter: str, name: str, gradient: Formula, by: Tensor, of: Formula | None = None,
        other: Tensor | None = None,
    ) -> None:  # fmt: skip
        part = by if other is None else torch.outer(by, other)
        old = self._found.get((parameter, name))
        value = part if old is None else old.value + part
        shown = gradient if old is None or gradient != Number(0.0) else old.gradient
        self._found[parameter, name] = Total(name, parameter, shown, of, value)

    def all(self) -> tuple[Total, ...]:
        """Each gate of each weight, in the order of its rows."""
        cell = self._setup.cell
        kinds = (("weight_ih", "W"), ("weight_hh", "R"), ("bias_ih", "b"), ("bias_hh", "bR"))
        names = [(p, matrix(kind, gate, cell)) for p, kind in kinds for gate in cell.gates]
        names += [("output.weight", "V"), ("output.bias", "b_V")]
        return tuple(self._found[name] for name in names if name in self._found)


def by_parameter(totals: tuple[Total, ...], setup: Setup) -> dict[str, Tensor]:
    """The same as whole weights, gates one below the other."""
    found: dict[str, Tensor] = {}
    for parameter in dict.fromkeys(total.parameter for total in totals):
        parts = [total.value for total in totals if total.parameter == parameter]
        found[parameter] = torch.cat(parts)
    return found
