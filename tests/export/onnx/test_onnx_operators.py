"""Every node of a program means in ONNX Runtime what it means to the interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from elman.export import program as p
from elman.export.interpreter import Interpreter
from elman.export.onnx.model import model_of
from elman.export.onnx.runners.network import Array, Network
from elman.export.program import Dim, Node, Program, Value

B, T, F, H, V, K = "B", "T", 5, 7, 11, 4
INPUTS = {
    "ids": Value("int64", (B, T)), "id": Value("int64", (B,)), "x": Value("float32", (B, T, F)),
    "x2": Value("float32", (B, T, F)), "vector": Value("float32", (B, F)),
    "share": Value("float32", (B, T, 1)), "wide": Value("float32", (B, 3 * F)),
    "lengths": Value("int64", (B,)),
}  # fmt: skip
WEIGHTS = {
    "table": (V, F), "weight": (H, F), "bias": (H,), "filters": (H, F, K), "fewer": (H, F, 1),
    "gain": (F,), "shift": (F,), "one": (1,),
}  # fmt: skip
STEPS: tuple[Dim, ...] = (B, T, F)

CASES: list[tuple[Node, tuple[Dim, ...]]] = [
    (p.Lookup("y", "ids", "table"), STEPS),
    (p.Lookup("y", "id", "table"), (B, F)),
    (p.OneHot("y", "ids", V), (B, T, V)),
    (p.Linear("y", "x", "weight", "bias"), (B, T, H)),
    (p.Linear("y", "vector", "weight"), (B, H)),
    (p.Convolution("y", "x", "filters", "bias", 1, K - 1), (B, T, H)),
    (p.Convolution("y", "x", "filters", "bias", 3, 1), (B, "T/3", H)),
    (p.Convolution("y", "x", "fewer", "bias", 2, 0), (B, "T/2", H)),
    (p.Shorter("y", "lengths", 3), (B,)),
    (p.Mask("y", "x", "lengths"), STEPS),
    *((p.Pool("y", "x", how, lengths), (B, F))
      for how in get_args(p.Pooling) for lengths in (None, "lengths")),
    (p.SoftmaxOverTime("y", "x"), STEPS),
    (p.SoftmaxOverTime("y", "x", "lengths"), STEPS),
    (p.Spread("y", "vector", "ids"), STEPS),
    (p.Expand("y", "bias", "x"), (B, H)),
    (p.Steps("y", "wide", 3), (B, 3, F)),
    (p.Concat("y", ("x", "x2", "x")), (B, T, 3 * F)),
    (p.Slice("y", "x", 1, 4), (B, T, 3)),
    (p.Add("y", "x", "x2"), STEPS),
    (p.Mul("y", "x", "x2"), STEPS),
    (p.Mul("y", "x", "share"), STEPS),
    (p.Affine("y", "x", "gain", "shift"), STEPS),
    (p.Affine("y", "x", "one"), STEPS),
    *((p.Activation("y", "x", function), STEPS) for function in get_args(p.Function)),
    (p.Softmax("y", "x"), STEPS),
    (p.Softmax("y", "x", log=True), STEPS),
    (p.LayerNorm("y", "x", "gain", "shift"), STEPS),
]  # fmt: skip


def drawn(draw: np.random.Generator, name: str, rows: int, steps: int) -> Array:
    if name == "lengths":
        return draw.integers(1, steps + 1, rows)
    value = INPUTS[name]
    sizes = {B: rows, T: steps}
    shape = [d if isinstance(d, int) else sizes[d] for d in value.shape]
    if value.kind == "int64":
        return draw.integers(0, V, shape)
    return (3 * draw.standard_normal(shape)).astype(np.float32)


@pytest.mark.parametrize(("node", "shape"), CASES, ids=[repr(node) for node, _ in CASES])
def test_a_node_as_the_interpreter_reckons_it(
    node: Node, shape: tuple[Dim, ...], tmp_path: Path
) -> None:
    draw = np.random.default_rng(0)
    read = {name for part in vars(node).values()
            for name in (part if isinstance(part, tuple) else (part,))}  # fmt: skip
    weights = {name: draw.standard_normal(size).astype(np.float32)
               for name, size in WEIGHTS.items() if name in read}  # fmt: skip
    inputs = tuple(name for name in INPUTS if name in read)
    kind: p.Kind = "int64" if isinstance(node, p.Shorter) else "float32"
    values = {name: INPUTS[name] for name in inputs} | {"y": Value(kind, shape)}
    program = Program(inputs, ("y",), (node,), values, weights)
    path = tmp_path / "model.onnx"
    path.write_bytes(model_of(program, "model", "float32", {"states": []}))
    network, interpreter = Network(path), Interpreter(program)
    for rows, steps in ((2, 9), (3, 1), (1, 4)):
        given = {name: drawn(draw, name, rows, steps) for name in inputs}
        (made,), (expected,) = (runner.run(given)[0].values() for runner in (network, interpreter))
        assert made.shape == expected.shape and made.dtype == kind
        np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-5)
