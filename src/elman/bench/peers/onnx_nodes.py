"""ONNX Runtime: a model of one node, run in one session. It only infers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from elman.bench.peers.prepared import Prepared
from elman.bench.work import Array, Work, numbers

OPSET = 17
NODES = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
# PyTorch's gates in the order in which ONNX wants them: i o f c, and z r h.
GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}


def prepare(work: Work, threads: int) -> Prepared | None:
    if work.kind != "infer":
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model(work), options, providers=["CPUExecutionProvider"])
    feed = {"x": numbers(work).x}

    def once() -> Sequence[Array]:
        (y,) = session.run(None, feed)
        return (y[:, 0],)  # [T, 1, B, H]: it has one direction

    return Prepared(once, comparable=True)


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
    node = helper.make_node(NODES[work.cell], ["x", *weights], ["y"], hidden_size=work.H)
    if work.cell == "gru":
        node.attribute.append(helper.make_attribute("linear_before_reset", 1))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [work.T, work.B, work.H])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [work.T, 1, work.B, work.H])
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph([node], work.cell, [x], [y], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    return bytes(made.SerializeToString())
