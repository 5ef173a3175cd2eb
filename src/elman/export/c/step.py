"""A cell's step in stages: products with matrices first, then what is done unit by unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from elman.export.program import Line, Step


@dataclass(frozen=True)
class Product:
    """R of one vector for some gates at once.

    `joint`: it is added to the gates' W x + b, as the step only uses the sum of both.
    """

    gates: tuple[str, ...]
    of: str  # a state, or what stands in an array
    joint: bool
    stage: int


@dataclass(frozen=True)
class Stages:
    """Each stage begins with products, and goes on with the lines that need no later one."""

    step: Step
    level: Mapping[str, int]  # of each line, its stage
    sums: Mapping[str, str]  # line → the gate whose joint sum it is
    products: Sequence[Product] = ()
    arrays: Sequence[str] = ()  # lines of which later stages need all units

    @property
    def order(self) -> tuple[str, ...]:
        """The gates as their sums stand one after the other: those of a product side by side."""
        joint = [gate for p in self.products if p.joint for gate in p.gates]
        return (*joint, *(gate for gate in self.step.gates if gate not in joint))

    def lines(self, stage: int) -> list[Line]:
        """What is to be reckoned for each unit."""
        return [
            line
            for line in self.step.lines
            if self.level[line.out] == stage
            and line.function != "product"
            and line.out not in self.sums
        ]

    @property
    def count(self) -> int:
        return max(self.level.values(), default=0) + 1


def staged(step: Step, *, normed: bool) -> Stages:
    """`normed`: R h is brought to mean 0 and variance 1 by itself, so that no sum is joint."""
    joint = {} if normed else _joint(step)
    level = _levels(step)
    together: dict[tuple[str, bool, int], list[str]] = {}
    for line in step.lines:
        if line.function == "product":
            key = (_names(line)[0], line.out in joint, level[line.out])
            together.setdefault(key, []).append(line.gate)
    products = [
        Product(tuple(sorted(gates, key=step.gates.index)), of, is_joint, stage)
        for (of, is_joint, stage), gates in together.items()
    ]
    found = Stages(step, level, dict(joint.values()), products)
    return replace(found, arrays=_arrays(found))


def _levels(step: Step) -> dict[str, int]:
    """Each line's stage: products as soon as they can be had, what is between as late as it can."""
    found: dict[str, int] = {}
    for line in step.lines:
        after = 1 if line.function == "product" else 0
        found[line.out] = max((found[n] + after for n in _names(line) if n in found), default=0)
    last = max(found.values(), default=0)
    latest = dict.fromkeys(step.results, last)
    for line in reversed(step.lines):
        product = line.function == "product"
        if not product:
            found[line.out] = latest.get(line.out, found[line.out])
        for name in _names(line):
            stage = found[line.out] - product
            latest[name] = min(latest.get(name, stage), stage)
    return found


def _joint(step: Step) -> dict[str, tuple[str, str]]:
    """Products that are only added to their gate's W x + b: → the line of the sum, the gate."""
    lines = {line.out: line for line in step.lines}
    uses = Counter([*(name for line in step.lines for name in _names(line)), *step.results])
    found = {}
    for line in step.lines:
        if line.function != "add" or len(_names(line)) != 2:
            continue
        for one, other in (_names(line), _names(line)[::-1]):
            product = lines.get(one)
            if product is None or product.function != "product":
                continue
            if other == f"Wx_{product.gate}" and uses[one] == uses[other] == 1:
                found[one] = (line.out, product.gate)
    return found


def _arrays(stages: Stages) -> list[str]:
    """Lines whose numbers a later stage, or a product, takes; sums and products have a place."""
    step, needed = stages.step, set[str]()
    for line in step.lines:
        for name in _names(line):
            before = stages.level.get(name)
            if before is not None and before < stages.level[line.out]:
                needed.add(name)
    needed |= {
        name for name in step.results if stages.level.get(name, -1) in range(stages.count - 1)
    }
    return [
        line.out
        for line in step.lines
        if line.out in needed and line.function != "product" and line.out not in stages.sums
    ]


def _names(line: Line) -> list[str]:
    return [name for name in line.inputs if isinstance(name, str)]
