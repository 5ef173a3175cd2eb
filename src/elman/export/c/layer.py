"""One direction of a recurrent layer as a C function that makes one step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elman import cells
from elman.export.c.expressions import Expression, called, number, reckoned
from elman.export.c.names import Names, identifier
from elman.export.c.source import CALLS, Source, indented, plain
from elman.export.c.step import Product, staged
from elman.export.c.tables import Table
from elman.export.program import Array, Arrays, Line, Recurrent, Step
from elman.export.steps import step_of


@dataclass(frozen=True)
class Layer:
    """A function of C, `name(x, state, …)`, which changes the states [hidden].

    x is a vector or, `one_hot`, the place of its only 1.
    """

    name: str
    hidden: int
    one_hot: bool

    def call(self, x: str, states: Sequence[str]) -> str:
        return f"{self.name}({', '.join([x, *states])});"


def write_layer(source: Source, node: Recurrent, weights: Arrays, *, one_hot: bool) -> Layer:
    """The function of a node, added to the source."""
    writer = _Writer(source, node, weights, one_hot)
    source.functions.append(writer.text())
    return Layer(writer.name, writer.hidden, one_hot)


class _Writer:
    def __init__(self, source: Source, node: Recurrent, weights: Arrays, one_hot: bool) -> None:
        self.source, self.step, self.one_hot, self.keep = source, node.step, one_hot, node.keep
        self.weights = {
            part: None if (name := getattr(node, part)) is None else weights[name]
            for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "norm_ih", "norm_hh")
        }
        self.inputs = weights[node.weight_ih].shape[1]
        self.hidden = len(weights[node.weight_ih]) // len(node.step.gates)
        self.stages = staged(self.step, normed=node.norm_hh is not None)
        self.apart = [product for product in self.stages.products if not product.joint]
        self.name = source.names.fresh(f"{identifier(self.step.cell)}_{len(source.functions) + 1}")
        local = Names(source.names)
        self.x, self.u, self.sum, self.rest = map(local.fresh, ("x", "u", "sum", "rest"))
        self.states = {name: local.fresh(name) for name in self.step.states}
        self.places = self._places(local)
        self.uses = Counter(
            [name for line in self.step.lines for name in line.inputs if isinstance(name, str)]
        )
        self.local = local

    def _places(self, local: Names) -> dict[str, str]:
        """Where all units of a name stand side by side, as a pointer."""
        H, order = self.hidden, self.stages.order
        places = dict(self.states)
        places |= {name: local.fresh(f"{name}_all") for name in self.stages.arrays}
        for name, values in self.step.constants.items():
            if not _alike(values):
                places[name] = self.source.tables.vector(values, f"{self.name}_{name}")
        for gate in order:
            places[f"Wx_{gate}"] = _offset(self.sum, order.index(gate) * H)
        for out, gate in self.stages.sums.items():
            places[out] = _offset(self.sum, order.index(gate) * H)
        self.rest_gates = [(p.of, gate) for p in self.apart for gate in p.gates]
        for line in self.step.lines:
            if line.function == "product" and (line.inputs[0], line.gate) in self.rest_gates:
                at = self.rest_gates.index((str(line.inputs[0]), line.gate))
                places.setdefault(line.out, _offset(self.rest, at * H))
        return places

    # ---- The whole -----------------------------------------------------------------------------

    def text(self) -> str:
        body = [*self._room(), *self._inputs()]
        for stage in range(self.stages.count):
            for product in self.stages.products:
                if product.stage == stage:
                    body += self._product(product)
            body += self._loop(stage)
        x = f"int32_t {self.x}" if self.one_hot else f"const float *restrict {self.x}"
        parameters = [x, *(f"float *restrict {name}" for name in self.states.values())]
        head = f"static void {self.name}({', '.join(parameters)})"
        return "\n".join([*self._comment(), head, "{", *indented(body), "}", ""])

    def _comment(self) -> list[str]:
        cell = plain(self.step.cell)
        lines = [f"One step of {cell}: {self.inputs} inputs, {self.hidden} units."]
        lines += [f"    {line}" for line in equations(self.step, self.hidden)]
        if self.keep:
            lines.append(f"    of each state {self.keep:g} is kept (zoneout)")
        if self.weights["norm_ih"] is not None:
            lines.append("    W x and R h are normed, gate by gate")
        return [f"{' *' if k else '/*'} {line}" for k, line in enumerate(lines)] + [" */"]

    def _room(self) -> list[str]:
        H, order = self.hidden, self.stages.order
        joint = [gate for p in self.stages.products if p.joint for gate in p.gates]
        told = plain(_sums(joint, order))
        lines = [f"float {self.sum}[{len(order) * H}]; /* {told} */"]
        if self.rest_gates:
            gates = plain(", ".join(gate for _, gate in self.rest_gates))
            lines.append(f"float {self.rest}[{len(self.rest_gates) * H}]; /* R h + b of {gates} */")
        return lines + [f"float {self.places[name]}[{H}];" for name in self.stages.arrays]

    # ---- Matrices ------------------------------------------------------------------------------

    def _inputs(self) -> list[str]:
        """W x + b of all gates, with R's b where that is added anyway."""
        order, source = self.stages.order, self.source
        bias, norm = self._rows("bias_ih", order), self._rows("norm_ih", order)
        joint = [gate for p in self.stages.products if p.joint for gate in p.gates]
        inner = self._rows("bias_hh", joint)
        if inner is not None:
            bias = np.zeros(len(order) * self.hidden, np.float32) if bias is None else bias.copy()
            bias[: len(inner)] += inner
        table = self._table("weight_ih", order, "W")
        piece = "column" if self.one_hot else "multiply"
        product = source.with_matrix(piece, table, self.x, self.sum)
        return self._summed(product, self.sum, len(order), bias, norm, "b")

    def _product(self, product: Product) -> list[str]:
        """R of what a product is of, for its gates."""
        source, gates = self.source, product.gates
        tail = "" if len(self.stages.products) == 1 else f"_{'_'.join(gates)}"
        table = self._table("weight_hh", gates, f"R{tail}")
        of = self.places[product.of]
        if product.joint:
            into = self.places[f"Wx_{gates[0]}"]
            return [source.with_matrix("multiply", table, of, into)]
        into = _offset(self.rest, self.rest_gates.index((product.of, gates[0])) * self.hidden)
        bias, norm = self._rows("bias_hh", gates), self._rows("norm_hh", gates)
        call = source.with_matrix("multiply", table, of, into)
        return self._summed(call, into, len(gates), bias, norm, f"Rb{tail}")

    def _summed(
        self, product: str, into: str, gates: int, bias: Array | None, norm: Array | None, name: str
    ) -> list[str]:
        """`into` = bias + product, which is normed first if there is a norm."""
        source, count = self.source, gates * self.hidden
        held = None if bias is None else source.tables.vector(bias, f"{self.name}_{name}")
        if norm is None and held is not None:
            return [source.call("copy", count, held, into), product]
        zero = source.call("fill", count, "0.0f", into)
        if norm is None:
            return [zero, product]
        factor = source.tables.vector(norm, f"{self.name}_{name}_norm")
        lines = [zero, product, source.call("normed", gates, self.hidden, factor, into)]
        return lines if held is None else [*lines, source.call("add", count, held, into)]

    def _table(self, part: str, gates: Sequence[str], name: str) -> Table:
        rows, whole = self._rows(part, gates), self.weights[part]
        assert rows is not None and whole is not None  # a cell that multiplies has a matrix
        return self.source.tables.matrix(rows, f"{self.name}_{name}", whole.size)

    def _rows(self, part: str, gates: Sequence[str]) -> Array | None:
        """The rows of a weight that belong to these gates."""
        whole = self.weights[part]
        if whole is None or not gates:
            return None
        parts = np.split(whole, len(self.step.gates))
        return np.concatenate([parts[self.step.gates.index(gate)] for gate in gates])

    # ---- Units ---------------------------------------------------------------------------------

    def _loop(self, stage: int) -> list[str]:
        """What is done for each unit, and in the last stage the states after."""
        constants = self.step.constants
        values = {name: number(float(v[0])) for name, v in constants.items() if _alike(v)}
        body: list[str] = []
        for line in self.stages.lines(stage):
            found = reckoned(line, [self._unit(part, values) for part in line.inputs])
            if called(line) in CALLS:
                self.source.use(called(line))
            if line.out in self.stages.arrays:
                body.append(f"{self._at(line.out)} = {found.text};")
            elif self._spoken(line):
                name = self.local.fresh(line.out)
                body.append(f"const float {name} = {found.text};")
                values[line.out] = Expression(name)
            else:
                values[line.out] = found
        if stage == self.stages.count - 1:
            body += self._states_after(values)
        if not body:
            return []
        head = f"for (int {self.u} = 0; {self.u} < {self.hidden}; {self.u}++) {{"
        return [head, *indented(body), "}"]

    def _spoken(self, line: Line) -> bool:
        """Whether a line has a name of its own in C."""
        made_up = line.out[0] == "v" and line.out[1:].isdigit()
        return not made_up or self.uses[line.out] > 1 or line.out in self.step.results

    def _states_after(self, values: dict[str, Expression]) -> list[str]:
        afters, lines = [], []
        for state, result in zip(self.step.states, self.step.results, strict=True):
            after = self._unit(result, values)
            if result not in values:  # it may stand where another state is about to be put
                name = self.local.fresh(f"{state}_after")
                lines.append(f"const float {name} = {after.text};")
                after = Expression(name)
            afters.append(after)
        for state, after in zip(self.step.states, afters, strict=True):
            at = self._at(state)
            kept = f" + {number(self.keep).text} * ({at} - {after.text})" if self.keep else ""
            lines.append(f"{at} = {after.text}{kept};")
        return lines

    def _unit(self, part: str | float, values: dict[str, Expression]) -> Expression:
        if not isinstance(part, str):
            return number(part)
        return values.get(part) or Expression(self._at(part))

    def _at(self, name: str) -> str:
        """One unit of what stands in an array."""
        array, plus, at = self.places[name].partition(" + ")
        return f"{array}[{at}{plus}{self.u}]"


def equations(step: Step, hidden: int) -> list[str]:
    """Those of a cell that is known here, not of another one under its name."""
    if step.cell not in cells.names():
        return []
    known = cells.get(step.cell)
    if step_of(known, hidden).lines != step.lines:
        return []
    return known.equations.replace("…", "...").splitlines()


def _alike(values: Array) -> bool:
    return bool((values == values[0]).all())


def _sums(joint: list[str], order: Sequence[str]) -> str:
    alone = [gate for gate in order if gate not in joint]
    parts = [("W x + b + R h", joint), ("W x + b", alone)]
    return "; ".join(f"{what} of {', '.join(gates)}" for what, gates in parts if gates)


def _offset(array: str, at: int) -> str:
    return f"{array} + {at}" if at else array
