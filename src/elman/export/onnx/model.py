"""A program as an ONNX model, checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import onnx
from onnx import TensorProto, helper

from elman.errors import UserError
from elman.export.onnx.graph import Graph, Storage
from elman.export.onnx.operators import translate
from elman.export.onnx.translation import Translation
from elman.export.program import Program, Value

OPSET, IR_VERSION = 17, 8  # of 2022: ONNX Runtime 1.12 and what is newer read them
MOST_BYTES = 2**31 - 2**24  # of a file of protocol buffers, with room for what is no weight
KINDS = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}


def model_of(program: Program, name: str, storage: Storage, record: Mapping[str, Any]) -> bytes:
    """The file of a model, which carries `record`, plain values, as JSON.

    Inputs and outputs bear the names of the program, states those of their values before and after.
    UserError: more than 2 GiB.
    """
    _check_size(program, name, storage)
    graph = Graph(storage)
    to = Translation(program, graph)
    before, after = ([getattr(s, side) for s in program.states] for side in ("before", "after"))
    inputs, outputs = [*program.inputs, *before], [*program.outputs, *after]
    to.names |= {given: given for given in inputs}
    for node in program.nodes:
        translate(node, to)
    for output in outputs:
        graph.give(to[output], output)
    made = helper.make_model(
        helper.make_graph(
            graph.nodes, name, [_info(n, program.values[n]) for n in inputs],
            [_info(n, program.values[n]) for n in outputs], graph.initializers,
        ),
        producer_name="elman", opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )  # fmt: skip
    helper.set_model_props(made, {"elman": json.dumps(record, ensure_ascii=False)})
    onnx.checker.check_model(made, full_check=True)
    return bytes(made.SerializeToString(deterministic=True))


def _check_size(program: Program, name: str, storage: Storage) -> None:
    each = 1 if storage == "int8" else 4
    size = each * sum(weights.size for weights in program.weights.values())
    if size > MOST_BYTES:
        better = "train a smaller model" if storage == "int8" else "give --precision int8"
        raise UserError(
            f"--to onnx: the weights of {name} take {size / 2**30:.1f} GiB, and a file of ONNX has "
            f"2 at most; {better}"
        )


def _info(name: str, value: Value) -> Any:
    return helper.make_tensor_value_info(name, KINDS[value.kind], value.shape)
