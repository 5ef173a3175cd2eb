"""One step of a cell as nodes of ONNX, from its lines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elman.export.onnx.graph import Graph
from elman.export.onnx.translation import Translation, normed
from elman.export.program import Line, Recurrent

OPERATORS = {
    "add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "maximum": "Max", "minimum": "Min",
    "pow": "Pow", "neg": "Neg", "abs": "Abs", "exp": "Exp", "log": "Log", "sqrt": "Sqrt",
    "sin": "Sin", "cos": "Cos", "sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu",
    "gt": "Greater", "ge": "GreaterOrEqual", "lt": "Less", "le": "LessOrEqual", "eq": "Equal",
    "where": "Where",
}  # fmt: skip


def translate(
    body: Graph, node: Recurrent, to: Translation, Wx: str, before: Sequence[str]
) -> list[str]:
    """`Wx` [B, G*H] and the states before [B, H] → the names of the states after."""
    step = node.step
    parts = body.several("Split", [Wx], len(step.gates), axis=-1) if len(step.gates) > 1 else (Wx,)
    names = {f"Wx_{gate}": part for gate, part in zip(step.gates, parts, strict=True)}
    names |= dict(zip(step.states, before, strict=True))
    names |= {name: body.number(value) for name, value in step.constants.items()}
    for line in step.lines:
        if line.function != "product":
            inputs = (names[x] if isinstance(x, str) else body.number(x) for x in line.inputs)
            names[line.out] = body.add(OPERATORS[line.function], *inputs)
        elif line.out not in names:
            alike = [one for one in step.lines
                     if one.function == "product" and one.inputs == line.inputs]  # fmt: skip
            names |= _products(body, node, to, alike, names)
    return [names[name] for name in step.results]


def _products(
    body: Graph, node: Recurrent, to: Translation, lines: Sequence[Line], names: dict[str, str]
) -> dict[str, str]:
    """R of one input for several gates, by one product."""
    assert node.weight_hh is not None
    (h,) = lines[0].inputs
    assert isinstance(h, str)
    hidden, gates = to.width(node.out), len(lines)
    asked = [node.step.gates.index(line.gate) for line in lines]
    rows = np.concatenate([np.arange(k * hidden, (k + 1) * hidden) for k in asked])
    weight = to.graph.weight(to.array(node.weight_hh)[rows])
    product = body.add("MatMul", names[h], to.graph.add("Transpose", weight, perm=[1, 0]))
    if node.norm_hh is not None:
        by_gate = body.add("Reshape", product, body.integers(0, gates, hidden))
        product = body.add("Reshape", normed(body, by_gate), body.integers(0, len(rows)))
        product = body.add("Mul", product, body.number(to.array(node.norm_hh)[rows]))
    if node.bias_hh is not None:
        product = body.add("Add", product, body.number(to.array(node.bias_hh)[rows]))
    parts = body.several("Split", [product], gates, axis=-1) if gates > 1 else (product,)
    return {line.out: part for line, part in zip(lines, parts, strict=True)}
