"""A program as statements of C, phase by phase."""

from __future__ import annotations

import numpy as np

from elman.errors import UserError
from elman.export.c.expressions import FUNCTIONS
from elman.export.c.layer import Layer, write_layer
from elman.export.c.places import Places
from elman.export.c.plan import planned, read
from elman.export.c.source import CALLS, Source, indented
from elman.export.c.tables import Table, float_text
from elman.export.program import (
    Activation,
    Add,
    Affine,
    Array,
    Average,
    Concat,
    Convolution,
    Dim,
    Expand,
    Groups,
    LayerNorm,
    Linear,
    Lookup,
    Mask,
    Mul,
    Node,
    OneHot,
    Pool,
    Program,
    Recurrent,
    Slice,
    Softmax,
    SoftmaxOverTime,
    Spread,
    Steps,
)

# What gathering begins with; a first or last step always comes, but compilers cannot tell.
START = {"mean": "0.0f", "sum": "0.0f", "max": "-INFINITY", "first": "0.0f", "last": "0.0f"}


class Network:
    """`phases`: the statements of each. `first`: how the states of the program begin."""

    def __init__(self, source: Source, program: Program) -> None:
        self.source, self.program, self.plan = source, program, planned(program)
        self.places = Places(source, program, self.plan)
        self.counts = False  # whether a state has to count its steps
        self._layers: dict[str, Layer] = {}
        self.first = [
            self._start(state.initial, self.places.carried[state.before], state.name)
            for state in program.states
        ]
        self.phases = [self._phase(phase) for phase in range(self.plan.last + 1)]

    def steps(self, length: Dim) -> str:
        """The number of steps of a loop."""
        if isinstance(length, int):
            return str(length)
        steps = self.places.steps
        if length == "T":
            return steps
        stride = int(length.removeprefix("T/"))
        return f"(({steps} + {stride - 1}) / {stride})"

    # ---- Phases --------------------------------------------------------------------------------

    def _phase(self, phase: int) -> list[str]:
        body: list[str] = []
        between = phase % 2 == 0
        if between:
            for node in self.plan.of(phase - 1):
                body += self._gathered(node, phase)
        for node in self.plan.of(phase):
            body += self._node(node, phase)
        if between:
            for node in self.plan.of(phase + 1):
                body += self._begun(node, phase)
        return body + self._left(phase)

    def _start(self, values: Array, into: str, name: str) -> str:
        if not values.any():
            return self.source.call("fill", len(values), "0.0f", into)
        table = self.source.tables.vector(values, f"{name}_first")
        return self.source.call("copy", len(values), table, into)

    def _begun(self, node: Node, phase: int) -> list[str]:
        """What has to be done before the loop of a node."""
        call = self.source.call
        if isinstance(node, Pool) and node.out in self.places.gathered and node.how in START:
            into = self.places.gathered[node.out]
            return [call("fill", self.plan.width(node.x), START[node.how], into)]
        if not isinstance(node, Recurrent) or self.places.in_place(node):
            return []
        width, places = self.plan.width(node.out), self.places.layers[node.out]
        if not node.first:
            return [call("fill", width, "0.0f", place) for place in places]
        firsts = [self.places.at(name, phase) for name in node.first]
        return [call("copy", width, x, y) for x, y in zip(firsts, places, strict=True)]

    def _gathered(self, node: Node, phase: int) -> list[str]:
        """What a pool gives after its loop."""
        if not isinstance(node, Pool) or node.how != "mean":
            return []
        body: list[str] = []
        y, total = self.places.into(node, phase, body), self.places.gathered[node.out]
        count = self._count() or self.steps(self.plan.loop(phase - 1).length)
        return [*body, *self._each(self.plan.width(node.x), y, "{} / (float)" + count, total)]

    def _count(self) -> str:
        """The steps that a gathering program has read; "" for others."""
        if self.places.mode != "gather":
            return ""
        self.counts = True
        return f"{self.places.state}->{self.places.count}"

    def _left(self, phase: int) -> list[str]:
        """Copies for the caller, and of states for the next call."""
        places, lines = self.places, []
        for name in self.program.outputs:
            if name not in places.given and phase == self._leaving(name):
                width, step = self.plan.width(name), ""
                if self._parted(name):
                    width *= int(self.plan.value(name).shape[1])
                elif self.plan.temporal(name):
                    step = places.step(width, phase)
                into = f"{places.parameters[name]}{step}"
                lines.append(self.source.call("copy", width, places.at(name, phase), into))
        if phase == self.plan.last:
            for state in self.program.states:
                after, before = places.at(state.after, phase), places.carried[state.before]
                if after != before:
                    lines.append(self.source.call("copy", len(state.initial), after, before))
        return lines

    def _leaving(self, name: str) -> int:
        """The phase in which an output is copied to the caller."""
        if not self.plan.temporal(name) or self._parted(name):
            return self.plan.last
        length = self.plan.value(name).shape[1]
        for at in range(1, self.plan.last, 2):
            if at >= self.plan.values[name] and self.plan.loop(at).length == length:
                return at
        raise UserError(f"--to c: the output {name} is what came in; leave it out")

    def _parted(self, name: str) -> bool:
        """Whether its steps are parts of one vector, so that all are there at once."""
        return any(isinstance(node, Steps) and node.out == name for node in self.program.nodes)

    # ---- Nodes ---------------------------------------------------------------------------------

    def _node(self, node: Node, phase: int) -> list[str]:
        """The statements of a node."""
        match node:
            case Mask() | Spread() | Slice():
                return []
            case Steps():
                self.places.show(node.out, self.places.at(node.x, phase))
                return []
            case Expand():
                weight = self.program.weights[node.weight]
                self.places.show(node.out, self.source.tables.vector(weight, node.weight))
                return []
            case Recurrent():
                return self._recurrent(node, phase)
            case Pool():
                return self._pooled(node, phase)
            case OneHot() if self._as_column(node.out):
                return []
        body: list[str] = []
        y = self.places.into(node, phase, body)
        return [*body, *self._reckoned(node, y, phase)]

    def _reckoned(self, node: Node, y: str, phase: int) -> list[str]:
        """Those of a node that has an array of its own."""
        call, width = self.source.call, self.plan.width(node.out)
        match node:
            case Lookup():
                table = self._matrix(node.table)
                where = self.places.number(node.ids, phase)
                return [self.source.with_matrix("row", table, where, y)]
            case OneHot():
                where = self.places.number(node.ids, phase)
                return [call("one_hot", node.size, where, y)]
            case Linear():
                return self._linear(node, y, phase)
            case Convolution():
                return self._convolved(node, y, phase)
            case Average():
                steps = self.steps(self.plan.value(node.x).shape[1])
                x = self.places.at(node.x, phase)
                return [call("averaged", steps, width, node.count, node.before, x, y)]
            case Groups():
                piece = f"groups_{node.how}"
                return [call(piece, width, node.size, self.places.at(node.x, phase), y)]
            case Concat():
                lines, at = [], 0
                for x in node.xs:
                    part = self.plan.width(x)
                    lines.append(call("copy", part, self.places.at(x, phase), _offset(y, at)))
                    at += part
                return lines
            case Add():
                return self._each(width, y, "{} + {}", *self._two(node, phase))
            case Mul():
                a, b = self._two(node, phase)
                if self.plan.width(node.b) == 1 < width:
                    return self._each(width, y, f"{{}} * {_number(b, '0')}", a)
                return self._each(width, y, "{} * {}", a, b)
            case Affine():
                return self._affine(node, y, phase)
            case Activation():
                function = FUNCTIONS[node.function]
                if function in CALLS:
                    self.source.use(function)
                return self._each(width, y, f"{function}({{}})", self.places.at(node.x, phase))
            case Softmax():
                piece = "log_softmax" if node.log else "softmax"
                return [call(piece, width, self.places.at(node.x, phase), y)]
            case SoftmaxOverTime():
                steps = self.steps(self.plan.value(node.x).shape[1])
                return [call("softmax_over_time", steps, width, self.places.at(node.x, phase), y)]
            case LayerNorm():
                factor, shift = self._vector(node.weight), self._vector(node.bias)
                return [
                    call("copy", width, self.places.at(node.x, phase), y),
                    call("normed", 1, width, factor, y),
                    call("add", width, shift, y),
                ]
        raise UserError(f"--to c knows no {type(node).__name__}")

    def _two(self, node: Add | Mul, phase: int) -> tuple[str, str]:
        return self.places.at(node.a, phase), self.places.at(node.b, phase)

    def _each(self, width: int, y: str, formula: str, *xs: str) -> list[str]:
        """`y` = formula of the numbers of each of `xs`, one by one."""
        i = self.places.i
        parts = [_number(x, i) for x in (y, *xs)]
        return [
            f"for (int {i} = 0; {i} < {width}; {i}++)",
            f"    {parts[0]} = {formula.format(*parts[1:])};",
        ]

    def _vector(self, name: str) -> str:
        return self.source.tables.vector(self.program.weights[name], name)

    def _matrix(self, name: str) -> Table:
        return self.source.tables.matrix(self.program.weights[name], name)

    def _as_column(self, name: str) -> bool:
        """Whether a vector that is 1 at one place is only multiplied: then a column is read."""
        readers = [node for node in self.program.nodes if name in read(node)]
        return all(isinstance(n, Linear | Recurrent) and n.x == name for n in readers)

    def _one_hot(self, name: str) -> str | None:
        """The ids of a value that is never made, as only columns are read for it."""
        for node in self.program.nodes:
            if isinstance(node, OneHot) and node.out == name and self._as_column(name):
                return node.ids
        return None

    def _linear(self, node: Linear, y: str, phase: int) -> list[str]:
        table, ids = self._matrix(node.weight), self._one_hot(node.x)
        if node.bias is None:
            start = self.source.call("fill", table.rows, "0.0f", y)
        else:
            start = self.source.call("copy", table.rows, self._vector(node.bias), y)
        if ids is not None:
            column = self.places.number(ids, phase)
            return [start, self.source.with_matrix("column", table, column, y)]
        x = self.places.at(node.x, phase)
        return [start, self.source.with_matrix("multiply", table, x, y)]

    def _affine(self, node: Affine, y: str, phase: int) -> list[str]:
        width, formula, xs = self.plan.width(node.out), "{}", [self.places.at(node.x, phase)]
        for sign, name in (("*", node.factor), ("+", node.shift)):
            if name is None:
                continue
            values = self.program.weights[name].reshape(-1)
            if len(values) == 1:
                formula += f" {sign} {float_text(float(values[0]))}"
            else:
                formula += f" {sign} {{}}"
                xs.append(self._vector(name))
        return self._each(width, y, formula, *xs)

    def _recurrent(self, node: Recurrent, phase: int) -> list[str]:
        ids = self._one_hot(node.x)
        layer = write_layer(self.source, node, self.program.weights, one_hot=ids is not None)
        x = self.places.at(node.x, phase) if ids is None else self.places.number(ids, phase)
        lines = [layer.call(x, self.places.layers[node.out])]
        if self.places.copied(node.out):
            h, far = self.places.at(node.out, phase), self.places.far(node.out, phase)
            lines.append(self.source.call("copy", layer.hidden, h, far))
        return lines

    def _pooled(self, node: Pool, phase: int) -> list[str]:
        """What a pool does at each step."""
        if node.out not in self.places.gathered:
            return []
        into, width = self.places.gathered[node.out], self.plan.width(node.x)
        x = self.places.at(node.x, phase)
        if node.how in ("mean", "sum"):
            return [self.source.call("add", width, x, into)]
        if node.how == "max":
            self.source.use("maximum")
            return self._each(width, into, "maximum({}, {})", into, x)
        copy = self.source.call("copy", width, x, into)
        count, t = self._count(), self.places.t
        alone = self.places.mode == "stream" or self.plan.loop(phase).length == 1
        if alone or (count and node.how == "last"):
            return [copy]  # there is one step, or any may be the last
        if node.how == "first":
            return [f"if ({count or t} == 0)", f"    {copy}"]
        return [f"if ({t} + 1 == {self.steps(self.plan.loop(phase).length)})", f"    {copy}"]

    def _convolved(self, node: Convolution, y: str, phase: int) -> list[str]:
        """Each step is one product with those steps of x that the filters see; beyond the ends
        there are zeros."""
        weight = self.program.weights[node.weight]  # [F, I, K]
        F, I, K = weight.shape  # noqa: E741
        taps = np.ascontiguousarray(weight.transpose(0, 2, 1)).reshape(F, K * I)
        table = self.source.tables.matrix(taps, node.weight)
        x, t, before = self.places.at(node.x, phase), self.places.t, node.before
        scale = f", {table.scale}" if table.scale else ""
        multiply = self.source.use(f"multiply_{table.precision}")
        ahead, back = (self.plan.value(name).shape[1] for name in (node.out, node.x))
        first, start, stop, out = map(self.places.names.fresh, ("first", "start", "stop", "out"))
        missing = f"{first} < {before} ? {before} - {first} : 0" if before else "0"
        left = f"{self.steps(back)} + {before} - {first}"
        begin = t if node.stride == 1 else f"{t} * {node.stride}"
        skipped = f" - {before}" if before else ""
        return [
            f"for (size_t {t} = 0; {t} < {self.steps(ahead)}; {t}++) {{",
            *indented([
                f"const size_t {first} = {begin}, {start} = {missing};",
                f"const size_t {stop} = {left} < {K} ? {left} : {K};",
                f"float *const {out} = {y} + {t} * {F};",
                self.source.call("copy", F, self._vector(node.bias), out),
                f"{multiply}({F}, (int)(({stop} - {start}) * {I}), "
                f"{table.name} + {start} * {I * F}{scale},",
                f"    {x} + ({first} + {start}{skipped}) * {I}, {out});",
            ]),
            "}",
        ]  # fmt: skip


def _number(pointer: str, at: str) -> str:
    """`x[t * 4 + i]` of `x + t * 4` and `i`."""
    array, plus, first = pointer.partition(" + ")
    return f"{array}[{first}{plus}{at}]".replace(" + 0]", "]")


def _offset(array: str, at: int) -> str:
    return f"{array} + {at}" if at else array
