"""A program run in NumPy, plainly: what each node means, and a check that no back end shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import DTypeLike

from elman.export import program as p
from elman.export.program import Array, Arrays, Program, Recurrent


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), which never overflows."""
    small = np.exp(-np.abs(x))
    found: Array = np.where(x >= 0, 1, small) / (1 + small)
    return found


FUNCTIONS: Mapping[str, Callable[..., Array]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "pow": np.power,
    "maximum": np.maximum, "minimum": np.minimum, "neg": np.negative, "abs": np.abs, "exp": np.exp,
    "log": np.log, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tanh": np.tanh,
    "sigmoid": sigmoid, "relu": lambda x: np.maximum(x, 0), "gt": np.greater,
    "ge": np.greater_equal, "lt": np.less, "le": np.less_equal, "eq": np.equal, "where": np.where,
}  # fmt: skip


@final
@dataclass(frozen=True)
class Interpreter:
    """A `Runner` of a program, in float64 unless told otherwise."""

    program: Program
    dtype: DTypeLike = np.float64

    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        program = self.program
        values: dict[str, Array] = {n: self._given(w) for n, w in program.weights.items()}
        values |= {name: self._given(inputs[name]) for name in program.inputs}
        if program.states:
            batch = len(inputs[program.inputs[0]])
            given = program.first_states(batch) if states is None else states
            values |= {s.before: self._given(given[s.name]) for s in program.states}
        with np.errstate(all="ignore"):  # of `where`, the branch that is not taken
            for node in program.nodes:
                self._reckon(node, values)
        outputs = {name: values[name] for name in program.outputs}
        return outputs, {s.name: values[s.after] for s in program.states}

    def _given(self, values: Array) -> Array:
        return values.astype(self.dtype) if np.issubdtype(values.dtype, np.floating) else values

    def _reckon(self, node: p.Node, values: dict[str, Array]) -> None:
        match node:
            case p.Lookup():
                found = values[node.table][values[node.ids]]
            case p.OneHot():
                found = (values[node.ids][..., None] == np.arange(node.size)).astype(self.dtype)
            case p.Linear():
                found = values[node.x] @ values[node.weight].T
                found = found if node.bias is None else found + values[node.bias]
            case p.Recurrent():
                found = self._recurrent(node, values)
            case p.Convolution():
                found = _convolved(node, values)
            case p.Average():
                x, before = values[node.x], node.before
                padded = np.pad(x, ((0, 0), (before, node.count - 1 - before), (0, 0)))
                steps = np.lib.stride_tricks.sliding_window_view(padded, node.count, 1)
                found = steps.mean(-1, dtype=self.dtype)
            case p.Shorter():
                found = -(-values[node.lengths] // node.stride)
            case p.Mask():
                x = values[node.x]
                found = np.where(_alive(x, values[node.lengths]), x, 0)
            case p.Pool():
                found = _pooled(node, values)
            case p.SoftmaxOverTime():
                x = values[node.x]
                if node.lengths is not None:
                    x = np.where(_alive(x, values[node.lengths]), x, -np.inf)
                found = _softmax(x, 1)
            case p.Spread():
                x, like = values[node.x], values[node.like]
                found = np.repeat(x[:, None], like.shape[1], 1)
            case p.Expand():
                found = np.tile(values[node.weight], (len(values[node.like]), 1))
            case p.Steps():
                x = values[node.x]
                found = x.reshape(len(x), node.count, -1)
            case p.Groups():
                x = values[node.x]
                groups = x.reshape(*x.shape[:-1], -1, node.size)
                found = groups.max(-1) if node.how == "max" else groups.mean(-1)
            case p.Concat():
                found = np.concatenate([values[x] for x in node.xs], -1)
            case p.Slice():
                found = values[node.x][..., node.start : node.stop]
            case p.Add():
                found = values[node.a] + values[node.b]
            case p.Mul():
                found = values[node.a] * values[node.b]
            case p.Affine():
                found = values[node.x] * values[node.factor]
                found = found if node.shift is None else found + values[node.shift]
            case p.Activation():
                found = FUNCTIONS[node.function](values[node.x])
            case p.Softmax():
                x = values[node.x]
                found = _softmax(x, -1)
                if node.log:
                    most = x.max(-1, keepdims=True)
                    found = x - most - np.log(np.exp(x - most).sum(-1, keepdims=True))
            case p.LayerNorm():
                found = _normed(values[node.x]) * values[node.weight] + values[node.bias]
        values[node.out] = found

    def _recurrent(self, node: Recurrent, values: dict[str, Array]) -> Array:
        """The output; the states after are put among the values."""
        x, step = values[node.x], node.step
        weights = {
            name: None if (at := getattr(node, name)) is None else values[at]
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "norm_ih", "norm_hh")
        }
        batch, steps, G = len(x), x.shape[1], len(step.gates)
        hidden = len(values[node.weight_ih]) // G
        lengths = np.full(batch, steps) if node.lengths is None else values[node.lengths]
        zeros = np.zeros((batch, hidden), self.dtype)
        state = [values[name] for name in node.first] or [zeros for _ in step.states]
        Wx = _product(x, weights["weight_ih"], weights["bias_ih"], weights["norm_ih"], G)
        out = np.zeros((batch, steps, hidden), self.dtype)
        for t in range(steps - 1, -1, -1) if node.reverse else range(steps):
            alive = (t < lengths)[:, None]
            after = self._stepped(node, Wx[:, t], state, weights)
            after = [s + node.keep * (old - s) for s, old in zip(after, state, strict=True)]
            state = [np.where(alive, s, old) for s, old in zip(after, state, strict=True)]
            out[:, t] = np.where(alive, state[0], 0)
        values.update(zip(node.last, state, strict=True))
        return out

    def _stepped(
        self, node: Recurrent, Wx: Array, state: list[Array], weights: Mapping[str, Any]
    ) -> list[Array]:
        """The states [B, H] after `Wx` [B, G*H]."""
        step = node.step
        G = len(step.gates)
        parts = np.split(Wx, G, -1)
        names: dict[str, Array] = {f"Wx_{g}": v for g, v in zip(step.gates, parts, strict=True)}
        names |= dict(zip(step.states, state, strict=True))
        names |= {name: self._given(value) for name, value in step.constants.items()}
        for line in step.lines:
            inputs = [names[one] if isinstance(one, str) else one for one in line.inputs]
            if line.function == "product":
                k = step.gates.index(line.gate)
                weight, bias, norm = (
                    None if (whole := weights[name]) is None else np.split(whole, G)[k]
                    for name in ("weight_hh", "bias_hh", "norm_hh")
                )
                names[line.out] = _product(inputs[0], weight, bias, norm, 1)
            else:
                names[line.out] = FUNCTIONS[line.function](*inputs)
        return [names[name] for name in step.results]


def _product(x: Any, weight: Any, bias: Any, norm: Any, gates: int) -> Array:
    """[..., I] → [..., G*H], the H values of each gate normed before the bias is added."""
    found: Array = x @ weight.T
    if norm is not None:
        by_gate = found.reshape(*found.shape[:-1], gates, -1)
        found = _normed(by_gate).reshape(found.shape) * norm
    return found if bias is None else found + bias


def _normed(x: Array) -> Array:
    gap = x - x.mean(-1, keepdims=True)
    found: Array = gap / np.sqrt(np.square(gap).mean(-1, keepdims=True) + p.EPSILON)
    return found


def _alive(x: Array, lengths: Array) -> Array:
    """Which steps are no padding, bool [B, T, 1]."""
    alive: Array = (np.arange(x.shape[1]) < lengths[:, None])[..., None]
    return alive


def _softmax(x: Array, axis: int) -> Array:
    small = np.exp(x - x.max(axis, keepdims=True))
    found: Array = small / small.sum(axis, keepdims=True)
    return found


def _pooled(node: p.Pool, values: Mapping[str, Array]) -> Array:
    x = values[node.x]
    lengths = np.full(len(x), x.shape[1]) if node.lengths is None else values[node.lengths]
    alive = _alive(x, lengths)
    found: Array
    match node.how:
        case "first":
            found = x[:, 0]
        case "last":
            found = x[np.arange(len(x)), lengths - 1]
        case "max":
            found = np.where(alive, x, -np.inf).max(1)
        case "sum":
            found = np.where(alive, x, 0).sum(1)
        case "mean":
            found = np.where(alive, x, 0).sum(1) / lengths[:, None]
    return found


def _convolved(node: p.Convolution, values: Mapping[str, Array]) -> Array:
    x, weight = values[node.x], values[node.weight]  # [B, T, I], [F, I, K]
    width, stride = weight.shape[2], node.stride
    steps = -(-x.shape[1] // stride)
    after = max(0, (steps - 1) * stride + width - node.before - x.shape[1])
    padded = np.pad(x, ((0, 0), (node.before, after), (0, 0)))
    seen = [padded[:, t * stride : t * stride + width] for t in range(steps)]  # each [B, K, I]
    found: Array = np.einsum("tbki,fik->btf", np.stack(seen), weight)
    return found + values[node.bias]
