"""When each node of a program is reckoned: before, in and after loops over time.

Phases are counted from 0: even ones stand between loops, odd ones are loops. A node comes as early
as what it reads allows, so that a program whose layers all read forwards has one loop, and nothing
has to be kept of each step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from elman.export.program import (
    Average,
    Concat,
    Convolution,
    Dim,
    Expand,
    Lookup,
    Mask,
    Node,
    Pool,
    Program,
    Recurrent,
    Shorter,
    Slice,
    SoftmaxOverTime,
    Spread,
    Steps,
    Value,
)

WHOLE = (Average, Convolution, SoftmaxOverTime)  # nodes that read all steps before they give any


@dataclass
class Loop:
    """One pass over so many steps; `reverse` is None where both ways would do."""

    length: Dim
    reverse: bool | None = None


@dataclass
class Plan:
    """Phases of nodes, by what they give, and of all values."""

    program: Program
    nodes: dict[str, int] = field(default_factory=dict)  # of a pool the loop that it gathers in
    values: dict[str, int] = field(default_factory=dict)  # from which phase on it is there
    loops: list[Loop] = field(default_factory=list)  # loop k is phase 2k + 1

    @property
    def last(self) -> int:
        return 2 * len(self.loops)

    def loop(self, phase: int) -> Loop:
        return self.loops[phase // 2]

    def of(self, phase: int) -> Iterator[Node]:
        """The nodes of a phase, in order."""
        return (node for node in self.program.nodes if self.nodes.get(node.out) == phase)

    def value(self, name: str) -> Value:
        return self.program.values[name]

    def temporal(self, name: str) -> bool:
        return temporal(self.value(name))

    def width(self, name: str) -> int:
        width = self.value(name).shape[-1]
        assert isinstance(width, int)
        return width


def temporal(value: Value) -> bool:
    """Whether there is one for each step."""
    return len(value.shape) == (3 if value.kind == "float32" else 2)


def planned(program: Program) -> Plan:
    """Lengths have no phase: one sequence is read at a time, all of its steps."""
    plan = Plan(program)
    plan.values |= dict.fromkeys(program.inputs, 0)
    plan.values |= {state.before: 0 for state in program.states}
    for node in program.nodes:
        if isinstance(node, Shorter):
            continue
        if isinstance(node, Mask | Slice | Spread):  # numbers that stand elsewhere
            plan.nodes[node.out] = plan.values[node.out] = plan.values[node.x]
            continue
        phase = _earliest(plan, node)
        if _in_loop(plan, node):
            length = plan.value(node.x if isinstance(node, Pool) else node.out).shape[1]
            reverse = node.reverse if isinstance(node, Recurrent) else None
            phase = _loop(plan, phase, length, reverse)
        plan.nodes[node.out] = phase
        plan.values[node.out] = phase + 1 if isinstance(node, Pool) else phase
        if isinstance(node, Recurrent):
            plan.values |= dict.fromkeys(node.last, phase + 1)
    return plan


def read(node: Node) -> tuple[str, ...]:
    """The values that a node reads, lengths and weights left out."""
    match node:
        case Lookup():
            return (node.ids,)
        case Recurrent():
            return (node.x, *node.first)
        case Concat():
            return node.xs
        case Expand() | Shorter():
            return ()
        case _:
            names = [getattr(node, part, None) for part in ("x", "a", "b", "ids")]
            return tuple(name for name in names if name is not None)


def _in_loop(plan: Plan, node: Node) -> bool:
    if isinstance(node, Pool):
        return True
    return plan.temporal(node.out) and not isinstance(node, (*WHOLE, Steps))


def _earliest(plan: Plan, node: Node) -> int:
    """The first phase in which all that a node reads is there."""
    phase, in_loop = 0, _in_loop(plan, node)
    for name in read(node):
        ready = plan.values[name]
        whole = plan.temporal(name) and not in_loop  # all steps are needed at once
        phase = max(phase, ready + 1 if whole and ready % 2 else ready)
    if in_loop:
        phase += 1 - phase % 2
    else:
        phase += phase % 2
    return phase


def _loop(plan: Plan, phase: int, length: Dim, reverse: bool | None) -> int:
    """The first loop from there on that fits, or a new one."""
    for at in range(phase, 2 * len(plan.loops), 2):
        loop = plan.loop(at)
        if loop.length == length and (reverse is None or loop.reverse in (None, reverse)):
            loop.reverse = reverse if loop.reverse is None else loop.reverse
            return at
    plan.loops.append(Loop(length, reverse))
    return 2 * len(plan.loops) - 1
