"""What of a trace is shown, and the equations of a cell as LaTeX writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from elman.cells.cell import Cell
from elman.errors import UserError
from elman.probe.trace.backward import Backward, BackwardStep
from elman.probe.trace.expressions import LATEX_FUNCTIONS, latex_name
from elman.probe.trace.forward import Step

WIDE = ("x", "y", "target")  # what is not counted by units
MOST_COLUMNS = 8  # of the gradient of a weight; of a wider one the norm of each row is shown
TOKEN = re.compile(r"\s*(?:([A-Za-z]\w*)|(\d+(?:\.\d+)?)|([-+*/(),=^]))")


@dataclass(frozen=True)
class Shown:
    """A trace, forward and perhaps backward, and which part of it is to be seen.

    `units` are those of the layer that are shown, all if empty; `last` so many steps of the end,
    all if None. `labels` say what each step read.
    """

    cell: Cell
    steps: Sequence[Step]
    backward: Backward | None = None
    units: tuple[int, ...] = ()
    last: int | None = None
    labels: Mapping[int, str] = field(default_factory=dict)  # by the step's number
    notes: tuple[str, ...] = ()  # what should be said above

    def __post_init__(self) -> None:
        size = max((len(v.numbers) for s in self.steps for v in s.values if v.name not in WIDE),
                   default=0)  # fmt: skip
        for unit in self.units:
            if not 0 <= unit < size:
                raise UserError(f"--units {unit}: the layer has {size} units, 0 to {size - 1}")

    @property
    def forward(self) -> Sequence[Step]:
        """The steps that are shown."""
        return self.steps if self.last is None else self.steps[-self.last :]

    @property
    def back(self) -> Sequence[BackwardStep]:
        """The steps of the way back that are shown, the last first."""
        steps = self.backward.steps if self.backward is not None else ()
        return steps if self.last is None else steps[: self.last]

    def of(self, name: str, numbers: Sequence[float]) -> tuple[float, ...]:
        """Those of the numbers of `name` that are shown."""
        if name in WIDE:
            return tuple(numbers) if len(numbers) <= MOST_COLUMNS else ()
        return tuple(numbers[u] for u in self.units) if self.units else tuple(numbers)

    def label(self, number: int) -> str:
        """`step 3` or, where it is known what was read, `step 3, "a"`."""
        read = self.labels.get(number)
        return f"step {number}" if read is None else f'step {number}, "{read}"'


def forward_latex(cell: Cell) -> dict[str, str]:
    """By name, the right side of each equation of a cell in LaTeX; text that is none stays text."""
    known: set[str] = set()
    found = {}
    for line in cell.equations.splitlines():
        name, formula = line.split(" = ", 1)
        found[name] = _formula(formula, cell, known)
        known.add(name)
    return found


def _formula(text: str, cell: Cell, known: set[str]) -> str:
    parts, at = list[str](), 0
    while at < len(text.rstrip()):
        token = TOKEN.match(text, at)
        if token is None:
            return rf"\text{{{latex_text(text)}}}"
        name, number, sign = token.groups()
        at = token.end()
        called = text[at : at + 1] == "("
        if name:
            parts.append(_name(name, cell, known, called=called))
        else:
            parts.append(number or SIGNS.get(sign, sign))
    if any(word not in _words(cell, known) for word in re.findall(r"[A-Za-z]\w*", text)):
        return rf"\text{{{latex_text(text)}}}"
    return _fractions(" ".join(parts))


SIGNS = {"*": r"\odot", "(": r"\left(", ")": r"\right)"}


def _fractions(text: str) -> str:
    return text.replace(r"\left( ", r"\left(").replace(r" \right)", r"\right)")


def _words(cell: Cell, known: set[str]) -> set[str]:
    """The words that an equation may hold; others make it plain text."""
    weights = {f"{k}_{gate}" for k in "WRb" for gate in cell.gates}
    functions = {"sigmoid", "tanh", "relu", "silu", "softplus", "exp", "log", "g", "x"}
    return {*weights, "W", "R", "b", *functions, *cell.states, *known}


def _name(name: str, cell: Cell, known: set[str], *, called: bool) -> str:
    if called:
        return LATEX_FUNCTIONS.get(name, rf"\operatorname{{{name}}}" if len(name) > 1 else name)
    if re.fullmatch(r"[WRb](_\w+)?", name) and name not in known:
        return latex_name(name)
    before = name in cell.states and name not in known
    return latex_name(name, "t-1" if before else "t")


def latex_text(text: str) -> str:
    """Plain words within LaTeX."""
    signs = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
             "…": r"\ldots{}", "\n": r"\textbackslash{}n"}  # fmt: skip
    return "".join(signs.get(c, rf"\{c}" if c in "&%$#_{}" else c) for c in text)
