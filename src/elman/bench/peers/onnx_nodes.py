"""ONNX Runtime: a model of one node, run in one session. It only infers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from elman.bench.peers.prepared import Prepared
from elman.bench.work import Array, Work, numbers

Shapes = Mapping[str, Sequence[int]]  # by name

OPSET = 17
NODES = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
# PyTorch's gates in the order in which ONNX wants them: i o f c, and z r h.
GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}


def prepare(work: Work, threads: int) -> Prepared | None:
    if work.kind not in ("infer", "step"):
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model(work), options, providers=["CPUExecutionProvider"])
    x = numbers(work).x
    if work.kind == "step":
        return stepping(work, session, x)

    def once() -> Sequence[Array]:
        (y,) = session.run(None, {"x": x})
        return (y[:, 0],)  # [T, 1, B, H]: it has one direction

    return Prepared(once, comparable=True)


def stepping(work: Work, session: onnxruntime.InferenceSession, x: Array) -> Prepared:
    """T runs of one step each, states handed back; to the last output."""
    names, xs = states(work), np.split(x, work.T)
    outputs = [f"{name}_after" for name in names]
    start = [np.zeros((1, work.B, work.H), np.float32) for _ in names]

    def once() -> Sequence[Array]:
        state = start
        for x in xs:
            state = session.run(outputs, {"x": x, **dict(zip(names, state, strict=True))})
        return (state[0][0],)

    return Prepared(once, comparable=True)


def states(work: Work) -> list[str]:
    return ["h", "c"] if work.cell == "lstm" else ["h"]


def model(work: Work) -> bytes:
    given = numbers(work)

    def ordered(weights: Array) -> Array:
        parts = np.split(weights, len(GATES[work.cell]))
        return np.concatenate([parts[k] for k in GATES[work.cell]])

    weights = {
        "W": ordered(given.weight_ih)[None],
        "R": ordered(given.weight_hh)[None],
        "b": np.concatenate([ordered(given.bias_ih), ordered(given.bias_hh)])[None],
    }
    one = (1, work.B, work.H)  # a step, and a state, which has a direction where that has a time
    if work.kind == "step":
        fed: Shapes = {"x": one, **dict.fromkeys(states(work), one)}
        made: Shapes = {f"{name}_after": one for name in states(work)}
        outputs = ["", *made]  # without y
    else:
        fed, made = {"x": (work.T, *one[1:])}, {"y": (work.T, *one)}
        outputs = ["y"]
    inputs = ["x", *weights, "", *list(fed)[1:]]  # without lengths
    node = helper.make_node(NODES[work.cell], inputs, outputs, hidden_size=work.H)
    if work.cell == "gru":
        node.attribute.append(helper.make_attribute("linear_before_reset", 1))
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph([node], work.cell, floats(fed), floats(made), constants)
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    return bytes(whole.SerializeToString())


def floats(shapes: Shapes) -> list[Any]:
    return [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
