"""Proof that an export is the network that it was made from: drawn batches through both.

Each case is a batch of some rows and steps with lengths and first states, all drawn. The export is
held against the network itself, and both against the program reckoned in NumPy in float64, which
shares no code with either. A program that streams reads its batch in parts, handing on its states.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from operator import attrgetter
from typing import Any

import numpy as np

from elman.export.interpreter import Interpreter
from elman.export.program import Array, Arrays, Dim, Export, Precision, Program, Runner, Value

CASES = 12  # of each program
MOST_ROWS, MOST_STEPS = 5, 40
MOST_PARTS = 4
# The largest difference that may be, as a share of the largest number of a case, at least of 1.
# float32: sums of a few thousand products in another order differ by some 1e-6, and a recurrence
# may multiply that by ten. The others: what rounding weights to 8 bits makes of a network.
TOLERANCE: dict[Precision, float] = {"float32": 1e-4, "bf16": 0.05, "int8": 0.15}


@dataclass(frozen=True)
class Case:
    """A batch. `parts` are where each call that reads some of its steps begins and ends."""

    number: int
    rows: int
    steps: int
    first: str  # "own" states, as a sequence begins, or "drawn" ones
    parts: tuple[tuple[int, int], ...]
    inputs: Arrays = field(repr=False)
    states: Arrays | None = field(repr=False)


@dataclass(frozen=True)
class Difference:
    """The largest difference of an output or state, as a share of the largest number there."""

    value: float
    of: float  # that largest number, at least 1
    name: str  # of the output or state
    at: tuple[int, ...]  # where in it
    case: int


NONE = Difference(0.0, 1.0, "", (), 0)


@dataclass(frozen=True)
class Compared:
    """What the cases of one program gave."""

    program: str
    cases: tuple[dict[str, Any], ...]
    export: Difference  # of the export from the network
    reckoned: Difference  # of the export from the program in float64
    network: Difference  # of the network from the same

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(
    export: Export, opened: Mapping[str, Runner], seed: int, cases: int = CASES
) -> list[Compared]:
    """All programs of an export, by cases drawn by `seed`."""
    return [
        _compared(name, program, export.originals[name], opened[name], seed, cases)
        for name, program in export.programs.items()
    ]


@dataclass(frozen=True)
class Asked:
    """Raw questions to the export's own file: how many it answers as Elman does."""

    asked: int
    alike: int
    first: dict[str, Any] | None  # a question that is not, with both answers

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def asked(
    questions: Sequence[Any], ours: Sequence[Any], theirs: Sequence[Any], precision: Precision
) -> Asked:
    """Answers are alike where texts are the same, and numbers as near as they may be."""
    near = TOLERANCE[precision]
    same = [alike(a, b, near) for a, b in zip(ours, theirs, strict=True)]
    first = None
    if not all(same):
        k = same.index(False)
        first = {"question": questions[k], "elman": ours[k], "export": theirs[k]}
    return Asked(len(same), sum(same), first)


def alike(a: Any, b: Any, near: float) -> bool:
    """Whether two plain values are the same but for what rounding makes of numbers."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[name], b[name], near) for name in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(alike(x, y, near) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) or isinstance(b, float):
        return bool(math.isclose(a, b, rel_tol=near, abs_tol=near))
    return bool(a == b)


def passes(compared: Sequence[Compared], asked: Asked | None, precision: Precision) -> bool:
    """Rounded weights may change answers; they are counted, and decide nothing."""
    near = all(one.export.value <= TOLERANCE[precision] for one in compared)
    return near and (precision != "float32" or asked is None or asked.alike == asked.asked)


def _compared(
    name: str, program: Program, network: Runner, export: Runner, seed: int, cases: int
) -> Compared:
    exact = Interpreter(program)
    found, told = [NONE, NONE, NONE], []
    for case in drawn(program, seed, cases):
        ours, true = (_run(runner, program, case, parts=False) for runner in (network, exact))
        theirs = _run(export, program, case, parts=True)
        for k, (a, b) in enumerate(((theirs, ours), (theirs, true), (ours, true))):
            found[k] = max(found[k], _difference(program, case, a, b), key=attrgetter("value"))
        told.append(
            {"number": case.number, "rows": case.rows, "steps": case.steps, "first": case.first,
             "parts": case.parts}
        )  # fmt: skip
    return Compared(name, tuple(told), *found)


def drawn(program: Program, seed: int, cases: int) -> Iterator[Case]:
    """Batches for a program: the first is one row of one step."""
    draw = np.random.default_rng(seed)
    for number in range(cases):
        rows = 1 if number == 0 else int(draw.integers(1, MOST_ROWS + 1))
        steps = 1 if number == 0 else int(draw.integers(1, MOST_STEPS + 1))
        lengths = draw.integers(1, steps + 1, rows)
        lengths[draw.integers(rows)] = steps
        inputs = {
            name: lengths if name == "lengths" else _numbers(program, name, rows, steps, draw)
            for name in program.inputs
        }
        states = None
        if program.states and draw.random() < 0.5:
            states = {
                s.name: draw.standard_normal((rows, len(s.initial))).astype(np.float32)
                for s in program.states
            }
        parts = tuple(_parts(steps, draw)) if program.streams else ((0, steps),)
        first = "own" if states is None else "drawn"
        yield Case(number, rows, steps, first, parts, inputs, states)


def _numbers(
    program: Program, name: str, rows: int, steps: int, draw: np.random.Generator
) -> Array:
    value = program.values[name]
    shape = [rows, *(steps if d == "T" else int(d) for d in value.shape[1:])]
    if _single(value):  # a program of one step at a time has a sequence of them too
        shape[1] = steps
    if name in program.limits:
        return draw.integers(0, program.limits[name], shape).astype(value.kind)
    return draw.standard_normal(shape).astype(np.float32)


def _parts(steps: int, draw: np.random.Generator) -> Iterator[tuple[int, int]]:
    cuts = np.unique(draw.integers(0, steps + 1, draw.integers(MOST_PARTS)))
    at = [0, *(int(cut) for cut in cuts if 0 < cut < steps), steps]
    yield from itertools.pairwise(at)


def _run(runner: Runner, program: Program, case: Case, *, parts: bool) -> dict[str, Array]:
    """Outputs and last states of a case, read in its parts, or whole where that can be; of a
    program of one step at a time the outputs of the last."""
    alone = any(_single(program.values[name]) for name in program.inputs)
    walked = {
        name
        for name in (*program.inputs, *program.outputs)
        if program.streams and (_single if alone else _timed)(program.values[name])
    }
    spans = case.parts if parts else ((0, case.steps),)
    if alone:
        spans = tuple((t, t + 1) for t in range(case.steps))
    states, made = case.states, []
    for start, stop in spans:
        inputs = {n: a[:, start:stop] if n in walked else a for n, a in case.inputs.items()}
        outputs, after = runner.run(inputs, states)
        states = after or None
        made.append(outputs)
    found = {
        name: np.concatenate([one[name] for one in made], 1) if name in walked else made[-1][name]
        for name in program.outputs
    }
    return found | dict(states or {})


def _timed(value: Value) -> bool:
    """Whether it has any number of steps."""
    return value.shape[1:2] == ("T",)


def _single(value: Value) -> bool:
    """Whether it is one step of a sequence: an id, or numbers."""
    return value.shape[1:2] == (1,) and (len(value.shape) > 2 or value.kind == "int64")


def _difference(program: Program, case: Case, a: Arrays, b: Arrays) -> Difference:
    """The largest, padding left out."""
    found = NONE
    for name in b:
        value = program.values.get(name)
        gap = np.abs(a[name].astype(np.float64) - b[name])
        gap[np.isnan(gap)] = np.inf
        true = np.abs(b[name].astype(np.float64))
        if value is not None and "lengths" in program.inputs:
            alive = _alive(value.shape, case, gap.shape)
            gap, true = np.where(alive, gap, 0), np.where(alive, true, 0)
        if not gap.size:
            continue
        at = np.unravel_index(int(gap.argmax()), gap.shape)
        size, place = max(1.0, float(true.max())), tuple(int(k) for k in at)
        worst = Difference(float(gap[at]) / size, size, name, place, case.number)
        found = max(found, worst, key=attrgetter("value"))
    return found


def _alive(shape: Sequence[Dim], case: Case, sizes: Sequence[int]) -> Array:
    """Which numbers of an output are no padding, to be spread over it."""
    time = shape[1] if len(shape) > 2 else 1
    if not isinstance(time, str):
        return np.ones([1] * len(sizes), dtype=bool)
    stride = int(time.partition("/")[2] or 1)
    lengths = -(-case.inputs["lengths"] // stride)
    alive: Array = (np.arange(sizes[1]) < lengths[:, None])[..., None]
    return alive


def told(compared: Sequence[Compared], asked: Asked | None, precision: Precision) -> str:
    """In a line, for the user."""
    worst = max((one.export for one in compared), default=NONE, key=attrgetter("value"))
    count = sum(len(one.cases) for one in compared)
    allowed = TOLERANCE[precision] * worst.of
    line = (
        f"{count} drawn batches through the network and its export: {worst.name} differs by "
        f"{worst.value * worst.of:.2g} at most ({allowed:.2g} may be)"
    )
    if asked is None:
        return line
    line += f"; {asked.alike} of {asked.asked} raw inputs answered alike"
    if asked.first is not None and precision == "float32":
        parts = (f"{name} {shortened(value)}" for name, value in asked.first.items())
        line += f" ({', '.join(parts)})"
    return line


def shortened(value: Any, most: int = 60) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else text[:most] + "…"
