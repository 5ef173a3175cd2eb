"""One direction of one layer: ONNX's own node where it has one, else a loop of the cell's step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import helper

from elman.export.onnx import step
from elman.export.onnx.graph import BOOL, FLOAT, Array, Graph
from elman.export.onnx.translation import Translation, normed
from elman.export.program import Recurrent


@dataclass(frozen=True)
class Native:
    """An operator of ONNX, and where its gates are found in the weights of a cell of Elman."""

    kind: str
    gates: tuple[int, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)


# ONNX has an LSTM's gates as i o f c, and a GRU's as z r h; it calls a reset after the product
# linear before the reset.
NATIVE = {
    "rnn": Native("RNN", (0,)),
    "rnn-relu": Native("RNN", (0,), {"activations": ["Relu"]}),
    "lstm": Native("LSTM", (0, 3, 1, 2)),
    "gru": Native("GRU", (1, 0, 2), {"linear_before_reset": 1}),
    "gru-reset-before": Native("GRU", (1, 0, 2)),
}


def translate(node: Recurrent, to: Translation) -> None:
    """Put a layer into the graph: its output and its states after."""
    plain = node.norm_ih is None and node.norm_hh is None and node.keep == 0
    if node.step.native and plain:
        native(node, NATIVE[node.step.cell], to)
    else:
        loop(node, to)


def native(node: Recurrent, operator: Native, to: Translation) -> None:
    """ONNX wants x [T, B, I] and states [1, B, H], and gives y [T, 1, B, H]."""
    g, hidden = to.graph, to.width(node.out)
    assert node.weight_hh is not None
    R = _reordered(operator, to.array(node.weight_hh))  # [G*H, H]
    W = _reordered(operator, to.array(node.weight_ih))
    biases = [
        np.zeros(len(R), np.float32) if name is None else _reordered(operator, to.array(name))
        for name in (node.bias_ih, node.bias_hh)
    ]
    first_axis = g.integers(0)
    inputs = [
        g.add("Transpose", to[node.x], perm=[1, 0, 2]), g.weight(W[None]), g.weight(R[None]),
        g.number(np.concatenate(biases)[None]),
        "" if node.lengths is None else to.lengths(node.lengths),
        *(g.add("Unsqueeze", to[name], first_axis) for name in node.first),
    ]  # fmt: skip
    y, *last = g.several(
        operator.kind, inputs, 1 + len(node.step.states), hidden_size=hidden,
        direction="reverse" if node.reverse else "forward", **operator.attributes,
    )  # fmt: skip
    y = g.add("Squeeze", y, g.integers(1))
    to.names[node.out] = g.add("Transpose", y, perm=[1, 0, 2])
    for name, state in zip(node.last, last, strict=False):  # none are asked for
        to.names[name] = g.add("Squeeze", state, first_axis)


def _reordered(operator: Native, rows: Array) -> Array:
    parts = np.split(rows, len(operator.gates))
    return np.concatenate([parts[gate] for gate in operator.gates])


def loop(node: Recurrent, to: Translation) -> None:
    """`Scan` of the cell's step over W x + b [B, T, G*H]."""
    g, hidden = to.graph, to.width(node.out)
    gates = len(node.step.gates)
    Wx = g.add("MatMul", to[node.x], to.turned(node.weight_ih))
    if node.norm_ih is not None:
        by_gate = g.add("Reshape", Wx, g.integers(0, 0, gates, hidden))
        Wx = g.add("Reshape", normed(g, by_gate), g.integers(0, 0, gates * hidden))
        Wx = g.add("Mul", Wx, to.exact(node.norm_ih))
    if node.bias_ih is not None:
        Wx = g.add("Add", Wx, to.exact(node.bias_ih))
    scanned = [Wx] if node.lengths is None else [Wx, to.alive(node.lengths, node.x)]
    states = [to[name] for name in node.first] or [_zeros(node, to)] * len(node.step.states)
    body = _body(node, to, hidden)
    backward = int(node.reverse)
    *last, y = g.several(
        "Scan", [*states, *scanned], len(states) + 1, body=body, num_scan_inputs=len(scanned),
        scan_input_axes=[1] * len(scanned), scan_input_directions=[backward] * len(scanned),
        scan_output_axes=[1], scan_output_directions=[backward],
    )  # fmt: skip
    to.names[node.out] = y
    to.names.update(zip(node.last, last, strict=False))  # none are asked for


def _zeros(node: Recurrent, to: Translation) -> str:
    g = to.graph
    shape = g.add("Concat", to.size(node.x, 0), g.integers(1), axis=0)
    return g.add("Expand", g.number(np.zeros(to.width(node.out))), shape)


def _body(node: Recurrent, to: Translation, hidden: int) -> Any:
    """States and one step of what is scanned → states after and the output. A sequence that has
    ended, or in reverse has not begun, keeps its states and puts out zeros."""
    body = Graph(within=to.graph)
    before = [body.fresh("before") for _ in node.step.states]
    Wx, alive = body.fresh("Wx"), body.fresh("alive")
    after = step.translate(body, node, to, Wx, before)
    if node.keep:
        keep = body.number(node.keep)
        after = [
            body.add("Add", new, body.add("Mul", keep, body.add("Sub", old, new)))
            for new, old in zip(after, before, strict=True)
        ]
    y = after[0]
    if node.lengths is not None:
        y = body.add("Where", alive, y, body.number(0))
        after = [body.add("Where", alive, new, old)
                 for new, old in zip(after, before, strict=True)]  # fmt: skip
    outputs = [body.fresh("after") for _ in after] + [body.fresh("y")]
    for value, name in zip([*after, y], outputs, strict=True):
        body.give(value, name)
    vectors = [None, hidden]
    scanned = [helper.make_tensor_value_info(Wx, FLOAT, [None, len(node.step.gates) * hidden])]
    if node.lengths is not None:
        scanned.append(helper.make_tensor_value_info(alive, BOOL, [None, 1]))
    return helper.make_graph(
        body.nodes, body.fresh("step"),
        [*(helper.make_tensor_value_info(name, FLOAT, vectors) for name in before), *scanned],
        [helper.make_tensor_value_info(name, FLOAT, vectors) for name in outputs],
    )  # fmt: skip
