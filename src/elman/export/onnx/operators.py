"""Each node of a program, but for recurrent layers, as nodes of ONNX."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from elman.export import program
from elman.export.onnx import recurrent
from elman.export.onnx.translation import Translation, normed

ACTIVATIONS = {"tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu", "exp": "Exp", "log": "Log"}


def translate(node: program.Node, to: Translation) -> None:
    """Put a node of the program into the graph."""
    if isinstance(node, program.Recurrent):
        recurrent.translate(node, to)
    else:
        to.names[node.out] = value(node, to)


@singledispatch
def value(node: program.Node, to: Translation) -> str:
    """The nodes that reckon what a node of the program gives; the name of that."""
    raise TypeError(node)


@value.register
def _(node: program.Lookup, to: Translation) -> str:
    return to.graph.add("Gather", to.weight(node.table), to[node.ids])


@value.register
def _(node: program.OneHot, to: Translation) -> str:
    size, off_on = to.graph.number(node.size, np.int64), to.graph.number([0, 1])
    return to.graph.add("OneHot", to[node.ids], size, off_on)


@value.register
def _(node: program.Linear, to: Translation) -> str:
    product = to.graph.add("MatMul", to[node.x], to.turned(node.weight))
    return product if node.bias is None else to.graph.add("Add", product, to.exact(node.bias))


@value.register
def _(node: program.Convolution, to: Translation) -> str:
    g, weight = to.graph, to.array(node.weight)
    filters, _, width = weight.shape
    rows = g.weight(weight.reshape(filters, -1))
    shaped = g.add("Reshape", rows, g.integers(*weight.shape))
    x = g.add("Transpose", to[node.x], perm=[0, 2, 1])  # [B, I, T]
    # More zeros than needed after the end, whatever T is; what they add is cut off.
    y = g.add("Conv", x, shaped, to.exact(node.bias), strides=[node.stride],
              pads=[node.before, width - 1])  # fmt: skip
    steps = shorter(to, to.size(node.x, 1), node.stride)
    y = g.add("Slice", y, g.integers(0), steps, g.integers(2))
    return g.add("Transpose", y, perm=[0, 2, 1])


@value.register
def _(node: program.Shorter, to: Translation) -> str:
    return shorter(to, to[node.lengths], node.stride)


def shorter(to: Translation, lengths: str, stride: int) -> str:
    """Lengths over `stride`, rounded up."""
    more = to.graph.add("Add", lengths, to.graph.integers(stride - 1))
    return to.graph.add("Div", more, to.graph.integers(stride))


@value.register
def _(node: program.Mask, to: Translation) -> str:
    return masked(to, node.x, node.lengths, 0.0)


def masked(to: Translation, x: str, lengths: str | None, other: float) -> str:
    """`x` [B, T, F] with another number from `lengths` on."""
    if lengths is None:
        return to[x]
    return to.graph.add("Where", to.alive(lengths, x), to[x], to.graph.number(other))


@value.register
def _(node: program.Pool, to: Translation) -> str:
    g, x = to.graph, to[node.x]
    match node.how:
        case "first":
            return g.add("Gather", x, g.number(0, np.int64), axis=1)
        case "last" if node.lengths is None:
            return g.add("Gather", x, g.number(-1, np.int64), axis=1)
        case "last":
            assert node.lengths is not None
            place = g.add("Sub", to[node.lengths], g.integers(1))
            return g.add("GatherND", x, g.add("Unsqueeze", place, g.integers(1)), batch_dims=1)
        case "max":
            least = masked(to, node.x, node.lengths, -np.inf)
            return g.add("ReduceMax", least, axes=[1], keepdims=0)
        case "sum" | "mean":
            total = g.add(
                "ReduceSum", masked(to, node.x, node.lengths, 0.0), g.integers(1), keepdims=0
            )
            if node.how == "sum":
                return total
            count = to.size(node.x, 1)
            if node.lengths is not None:
                count = g.add("Unsqueeze", to[node.lengths], g.integers(1))
            return g.add("Div", total, g.add("CastLike", count, total))


@value.register
def _(node: program.Average, to: Translation) -> str:
    turned = to.graph.add("Transpose", to[node.x], perm=[0, 2, 1])
    after = node.count - 1 - node.before
    found = to.graph.add(
        "AveragePool", turned, kernel_shape=[node.count], pads=[node.before, after],
        count_include_pad=1,
    )  # fmt: skip
    return to.graph.add("Transpose", found, perm=[0, 2, 1])


@value.register
def _(node: program.SoftmaxOverTime, to: Translation) -> str:
    return to.graph.add("Softmax", masked(to, node.x, node.lengths, -np.inf), axis=1)


@value.register
def _(node: program.Spread, to: Translation) -> str:
    g = to.graph
    shape = g.add("Concat", g.integers(1), to.size(node.like, 1), g.integers(1), axis=0)
    return g.add("Expand", g.add("Unsqueeze", to[node.x], g.integers(1)), shape)


@value.register
def _(node: program.Expand, to: Translation) -> str:
    shape = to.graph.add("Concat", to.size(node.like, 0), to.graph.integers(1), axis=0)
    return to.graph.add("Expand", to.exact(node.weight), shape)


@value.register
def _(node: program.Steps, to: Translation) -> str:
    shape = to.graph.integers(0, node.count, to.width(node.x) // node.count)
    return to.graph.add("Reshape", to[node.x], shape)


@value.register
def _(node: program.Groups, to: Translation) -> str:
    g, axes = to.graph, len(to.program.values[node.x].shape)
    groups = g.add("Reshape", to[node.x], g.integers(*[0] * (axes - 1), -1, node.size))
    reduce = {"max": "ReduceMax", "mean": "ReduceMean"}[node.how]
    return g.add(reduce, groups, axes=[axes], keepdims=0)


@value.register
def _(node: program.Concat, to: Translation) -> str:
    return to.graph.add("Concat", *(to[x] for x in node.xs), axis=-1)


@value.register
def _(node: program.Slice, to: Translation) -> str:
    bounds = (to.graph.integers(place) for place in (node.start, node.stop, -1))
    return to.graph.add("Slice", to[node.x], *bounds)


@value.register
def _(node: program.Add, to: Translation) -> str:
    return to.graph.add("Add", to[node.a], to[node.b])


@value.register
def _(node: program.Mul, to: Translation) -> str:
    return to.graph.add("Mul", to[node.a], to[node.b])


@value.register
def _(node: program.Affine, to: Translation) -> str:
    scaled = to.graph.add("Mul", to[node.x], to.exact(node.factor))
    return scaled if node.shift is None else to.graph.add("Add", scaled, to.exact(node.shift))


@value.register
def _(node: program.Activation, to: Translation) -> str:
    return to.graph.add(ACTIVATIONS[node.function], to[node.x])


@value.register
def _(node: program.Softmax, to: Translation) -> str:
    return to.graph.add("LogSoftmax" if node.log else "Softmax", to[node.x], axis=-1)


@value.register
def _(node: program.LayerNorm, to: Translation) -> str:
    scaled = to.graph.add("Mul", normed(to.graph, to[node.x]), to.exact(node.weight))
    return to.graph.add("Add", scaled, to.exact(node.bias))
