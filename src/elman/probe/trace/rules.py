"""What each operation of a step is as a formula, and what it does to a gradient.

An operation without a rule here keeps its name, and its gradient is that operation's own, by
autograd: `J_softmax^T(…)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from elman.probe.trace.expressions import (
    Call,
    Compared,
    Constant,
    Formula,
    Number,
    Other,
    Power,
    Quotient,
    Symbol,
    Where,
    added,
    negative,
    product,
)
from elman.probe.trace.recording import Node

Written: TypeAlias = Callable[[Any], Formula]  # an input, a node or a number, as a formula
Pulled: TypeAlias = list[tuple[Node, Formula]]  # inputs and what reaches them of the gradient

ONE, TWO = Number(1.0), Number(2.0)
COMPARISONS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "=="}
PLAIN = frozenset(
    {"sigmoid", "tanh", "relu", "exp", "log", "log1p", "sqrt", "sin", "cos", "silu", "abs"}
)
# What these give depends on the form of their inputs alone, not on their numbers.
FORMS = frozenset(
    {"new_ones", "new_zeros", "new_full", "new_empty", "zeros_like", "ones_like", "full_like",
     "zeros", "ones", "full", "arange", "detach"}
)  # fmt: skip


def depends(node: Node) -> bool:
    """Whether a node's numbers depend on what the step was given."""
    if node.kind in ("input", "state", "product"):
        return True
    return node.kind not in FORMS and any(depends(one) for one in node.nodes)


def constant(value: Tensor) -> Formula:
    """Numbers that depend on nothing: one, if they are all alike."""
    flat = value.double().flatten()
    if len(flat) and bool((flat == flat[0]).all()):
        return Number(float(flat[0]))
    return Constant(tuple(flat.tolist()))


def formula(node: Node, written: Written) -> Formula:
    """The operation of a node on its inputs."""
    if not depends(node) and not _of_names(node, written):
        return constant(node.value)
    made = _formula(node, [written(part) for part in node.inputs]) if _ruled(node) else None
    return made or Other(node.kind, tuple(written(n) for n in node.nodes), _again(node))


def _of_names(node: Node, written: Written) -> bool:
    """Whether a constant is made of what has a name."""
    return any(isinstance(written(one), Symbol) for one in node.nodes if not depends(one))


def _formula(node: Node, parts: Sequence[Formula]) -> Formula | None:
    """None where there is no rule."""
    kind = node.kind
    alpha = Number(float(node.keywords.get("alpha", 1)))
    if kind in PLAIN and len(parts) == 1:
        return Call(kind, tuple(parts))
    if kind in COMPARISONS:
        return Compared(COMPARISONS[kind], *parts)
    match kind, len(parts):
        case "add", 2:
            return added(parts[0], product(alpha, parts[1]))
        case "sub", 2:
            return added(parts[0], negative(product(alpha, parts[1])))
        case "rsub", 2:
            return added(parts[1], negative(parts[0]))
        case "mul", 2:
            return product(*parts)
        case "div", 2:
            return Quotient(*parts)
        case "neg", 1:
            return negative(parts[0])
        case "reciprocal", 1:
            return Quotient(ONE, parts[0])
        case "square", 1:
            return Power(parts[0], 2.0)
        case "pow", 2 if isinstance(parts[1], Number):
            return Power(parts[0], parts[1].value)
        case "where", 3:
            return Where(*parts)
        case "logaddexp", 2:
            return Call("logaddexp", tuple(parts))
        case "softplus", 1:
            return Call("softplus", tuple(parts))
        case "maximum" | "minimum", 2:
            return Call(kind[:3], tuple(parts))
        case "clamp_min", 2:
            return Call("max", tuple(parts))
        case "lerp", 3:
            return added(parts[0], product(parts[2], added(parts[1], negative(parts[0]))))
        case "clone", 1:
            return parts[0]
    return None


def pulled(node: Node, gradient: Formula, written: Written, own: Formula) -> Pulled:
    """The chain rule of one operation: `gradient` is the loss's by the node, `own` the node itself
    as later formulas may write it."""
    found = _pulled(node, gradient, written, own) if _ruled(node) else None
    if found is None:
        return _by_autograd(node, gradient, written)
    inputs = [(node.inputs[k], part) for k, part in found]
    return [(one, part) for one, part in inputs if isinstance(one, Node) and depends(one)]


def _pulled(
    node: Node, d: Formula, written: Written, own: Formula
) -> list[tuple[int, Formula]] | None:
    """The same by the numbers of inputs; None where there is no rule."""
    parts = [written(part) for part in node.inputs]
    alpha = Number(float(node.keywords.get("alpha", 1)))
    x = parts[0] if parts else ONE
    y = parts[1] if len(parts) > 1 else ONE
    match node.kind, len(parts):
        case "add", 2:
            return [(0, d), (1, product(alpha, d))]
        case "sub", 2:
            return [(0, d), (1, negative(product(alpha, d)))]
        case "rsub", 2:
            return [(0, negative(d)), (1, d)]
        case "mul", 2:
            return [(0, product(d, y)), (1, product(d, x))]
        case "div", 2:
            return [(0, Quotient(d, y)), (1, negative(product(d, Quotient(own, y))))]
        case "neg", 1:
            return [(0, negative(d))]
        case "clone", 1:
            return [(0, d)]
        case "reciprocal", 1:
            return [(0, negative(product(d, Power(own, 2.0))))]
        case "sigmoid", 1:
            return [(0, product(d, own, added(ONE, negative(own))))]
        case "tanh", 1:
            return [(0, product(d, added(ONE, negative(Power(own, 2.0)))))]
        case "relu", 1:
            return [(0, product(d, Compared(">", x, Number(0.0))))]
        case "exp", 1:
            return [(0, product(d, own))]
        case "log", 1:
            return [(0, Quotient(d, x))]
        case "sqrt", 1:
            return [(0, Quotient(d, product(TWO, own)))]
        case "sin", 1:
            return [(0, product(d, Call("cos", (x,))))]
        case "cos", 1:
            return [(0, negative(product(d, Call("sin", (x,)))))]
        case "abs", 1:
            return [(0, product(d, Call("sign", (x,))))]
        case "softplus", 1:
            return [(0, product(d, Call("sigmoid", (x,))))]
        case "silu", 1:
            gate = Call("sigmoid", (x,))
            return [(0, product(d, added(gate, product(own, added(ONE, negative(gate))))))]
        case "square", 1:
            return [(0, product(TWO, d, x))]
        case "pow", 2 if isinstance(y, Number):
            down = x if y.value == 2 else Power(x, y.value - 1)
            return [(0, product(Number(y.value), d, down))]
        case "where", 3:
            if isinstance(x, Compared):
                return [(1, product(d, x)), (2, product(d, x.opposite()))]
            return [(1, Where(x, d, Number(0.0))), (2, Where(x, Number(0.0), d))]
        case "logaddexp", 2:
            return [
                (0, product(d, Call("sigmoid", (added(x, negative(y)),)))),
                (1, product(d, Call("sigmoid", (added(y, negative(x)),)))),
            ]
        case "clamp_min", 2:
            return [(0, product(d, Compared(">=", x, y)))]
        case "lerp", 3:
            share = parts[2]
            return [
                (0, product(d, added(ONE, negative(share)))),
                (1, product(d, share)),
                (2, product(d, added(y, negative(x)))),
            ]
    if node.kind in COMPARISONS:
        return []
    return None


def _ruled(node: Node) -> bool:
    """Whether a rule may serve: the inputs are numbers, and nodes of the node's own shape or
    constants."""
    return not node.keywords.keys() - {"alpha"} and all(
        part.value.shape == node.value.shape or not depends(part)
        if isinstance(part, Node)
        else isinstance(part, int | float)
        for part in node.inputs
    )


def _by_autograd(node: Node, gradient: Formula, written: Written) -> Pulled:
    """The gradients of an operation without a rule, each by that operation alone."""
    parts = (*(written(one) for one in node.nodes), gradient)
    return [
        (one, Other(node.kind, parts, _pull(node, k), gradient=True))
        for k, one in enumerate(node.nodes)
        if depends(one)
    ]


def _again(node: Node) -> Callable[..., Tensor]:
    """The operation of a node, on other values of its inputs that are nodes."""
    assert node.work is not None
    operation = node.work

    def work(*values: Tensor) -> Tensor:
        left = iter(values)
        shapes = iter([one.value.shape for one in node.nodes])

        def put(part: Any) -> Any:
            if isinstance(part, list):
                return [put(one) for one in part]
            return next(left).expand(next(shapes)) if isinstance(part, Node) else part

        made: Tensor = operation(*(put(part) for part in node.inputs), **node.keywords)
        return made

    return work


def _pull(node: Node, k: int) -> Callable[..., Tensor]:
    def pull(*values: Tensor) -> Tensor:
        *inputs, gradient = values
        with torch.enable_grad():
            inputs = [one.detach().clone() for one in inputs]
            inputs[k].requires_grad_()
            made = _again(node)(*inputs)
            (found,) = torch.autograd.grad(
                made, inputs[k], gradient.expand(made.shape), allow_unused=True
            )
        return torch.zeros_like(inputs[k]) if found is None else found

    return pull
