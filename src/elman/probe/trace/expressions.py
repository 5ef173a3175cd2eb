"""Formulas as trees: written as plain text or LaTeX, simplified a little, and reckoned.

Products are unit by unit, as in the equations of cells; only `Turned` is a product with a matrix.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

When: TypeAlias = Literal["now", "before", "next", "back", "above"]
Values: TypeAlias = Mapping["Formula", Tensor]

SUM, PRODUCT, POWER, ATOM = range(4)  # how tightly a formula holds together

# What a step may call, by the name that formulas give it.
FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "exp": torch.exp,
    "log": torch.log,
    "log1p": torch.log1p,
    "sqrt": torch.sqrt,
    "sin": torch.sin,
    "cos": torch.cos,
    "silu": torch.nn.functional.silu,
    "softplus": torch.nn.functional.softplus,
    "abs": torch.abs,
    "sign": torch.sign,
    "max": torch.maximum,
    "min": torch.minimum,
    "logaddexp": torch.logaddexp,
}
LATEX_FUNCTIONS = {
    "sigmoid": r"\sigma", "tanh": r"\tanh", "exp": r"\exp", "log": r"\log", "sin": r"\sin",
    "cos": r"\cos", "max": r"\max", "min": r"\min",
}  # fmt: skip


class Formula(ABC):
    """A formula. `text` and `latex` write it, `reckon` gives its value."""

    binds: int = ATOM

    @abstractmethod
    def text(self) -> str:
        """As the equations of cells are written."""

    @abstractmethod
    def latex(self) -> str:
        """In LaTeX's mathematics."""

    @abstractmethod
    def reckon(self, values: Values) -> Tensor:
        """Its value, where `values` has that of every symbol."""

    def _within(self, binds: int, *, latex: bool = False) -> str:
        """Written as part of a formula that holds so tightly."""
        if self.binds >= binds:
            return self.latex() if latex else self.text()
        return rf"\left({self.latex()}\right)" if latex else f"({self.text()})"


@dataclass(frozen=True)
class Symbol(Formula):
    """A quantity by its name, or the gradient of the loss by it.

    `when`: of this step, of the step before, or of a gradient the part that comes from the `next`
    step, from `above`, or goes `back` to the step before.
    """

    name: str
    gradient: bool = False
    when: When = "now"

    def text(self) -> str:
        end = "" if self.when == "now" else "[t-1]" if self.when == "before" else f"_{self.when}"
        return f"{'d' if self.gradient else ''}{self.name}{end}"

    def latex(self) -> str:
        name = latex_name(self.name, "t-1" if self.when in ("before", "back") else "t")
        if not self.gradient:
            return name
        arrow = r"^{\uparrow}" if self.when == "above" else ""
        arrow = r"^{\leftarrow}" if self.when in ("next", "back") else arrow
        return rf"\mathrm{{d}}{name}{arrow}"

    def reckon(self, values: Values) -> Tensor:
        return values[self]


@dataclass(frozen=True)
class Words(Formula):
    """What is no formula here, as it is written; its value is given."""

    plain: str
    formal: str  # in LaTeX's mathematics

    def text(self) -> str:
        return self.plain

    def latex(self) -> str:
        return self.formal

    def reckon(self, values: Values) -> Tensor:
        return values[self]


@dataclass(frozen=True)
class Number(Formula):
    """A number."""

    value: float

    @property
    def binds(self) -> int:  # type: ignore[override]
        return ATOM if self.value >= 0 else SUM

    def text(self) -> str:
        return f"{self.value:.6g}"

    def latex(self) -> str:
        mantissa, _, exponent = self.text().partition("e")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa

    def reckon(self, values: Values) -> Tensor:
        return torch.tensor(self.value, dtype=torch.float64)


@dataclass(frozen=True)
class Constant(Formula):
    """Numbers of a step that depend on nothing that is learnt or read."""

    value: tuple[float, ...]

    def text(self) -> str:
        return "constant"

    def latex(self) -> str:
        return r"\mathrm{constant}"

    def reckon(self, values: Values) -> Tensor:
        return torch.tensor(self.value, dtype=torch.float64)


@dataclass(frozen=True)
class Sum(Formula):
    """Terms added; a term that begins with -1 is taken away."""

    terms: tuple[Formula, ...]
    binds = SUM

    def text(self) -> str:
        return self._joined(latex=False)

    def latex(self) -> str:
        return self._joined(latex=True)

    def _joined(self, *, latex: bool) -> str:
        written = ""
        for term in self.terms:
            less = isinstance(term, Product) and term.factors[0] == Number(-1.0)
            if less:
                assert isinstance(term, Product)
                term = product(*term.factors[1:])
            shown = term._within(PRODUCT if less else SUM, latex=latex)
            if written:
                written += f" - {shown}" if less else f" + {shown}"
            else:
                written = f"-{shown}" if less else shown
        return written

    def reckon(self, values: Values) -> Tensor:
        first, *others = (term.reckon(values) for term in self.terms)
        for other in others:
            first = first + other
        return first


@dataclass(frozen=True)
class Product(Formula):
    """Factors multiplied, unit by unit."""

    factors: tuple[Formula, ...]

    @property
    def binds(self) -> int:  # type: ignore[override]
        return SUM if self.factors[0] == Number(-1.0) else PRODUCT

    def text(self) -> str:
        if self.factors[0] == Number(-1.0):
            return "-" + product(*self.factors[1:])._within(PRODUCT)
        return " * ".join(factor._within(PRODUCT) for factor in self.factors)

    def latex(self) -> str:
        if self.factors[0] == Number(-1.0):
            return "-" + product(*self.factors[1:])._within(PRODUCT, latex=True)
        return r" \odot ".join(factor._within(PRODUCT, latex=True) for factor in self.factors)

    def reckon(self, values: Values) -> Tensor:
        first, *others = (factor.reckon(values) for factor in self.factors)
        for other in others:
            first = first * other
        return first


@dataclass(frozen=True)
class Quotient(Formula):
    """One formula over another."""

    over: Formula
    under: Formula
    binds = PRODUCT

    def text(self) -> str:
        return f"{self.over._within(PRODUCT)} / {self.under._within(POWER)}"

    def latex(self) -> str:
        return rf"\frac{{{self.over.latex()}}}{{{self.under.latex()}}}"

    def reckon(self, values: Values) -> Tensor:
        return self.over.reckon(values) / self.under.reckon(values)


@dataclass(frozen=True)
class Power(Formula):
    """A formula to the power of a number."""

    base: Formula
    exponent: float
    binds = POWER

    def text(self) -> str:
        return f"{self.base._within(ATOM)}^{Number(self.exponent)._within(ATOM)}"

    def latex(self) -> str:
        base = self.base.latex()
        if not isinstance(self.base, Number | Symbol):
            base = rf"\left({base}\right)"
        return f"{base}^{{{Number(self.exponent).latex()}}}"

    def reckon(self, values: Values) -> Tensor:
        return self.base.reckon(values) ** self.exponent


@dataclass(frozen=True)
class Call(Formula):
    """A function of `FUNCTIONS`."""

    function: str
    arguments: tuple[Formula, ...]

    def text(self) -> str:
        return f"{self.function}({', '.join(a.text() for a in self.arguments)})"

    def latex(self) -> str:
        name = LATEX_FUNCTIONS.get(self.function, rf"\operatorname{{{self.function}}}")
        return rf"{name}\left({', '.join(a.latex() for a in self.arguments)}\right)"

    def reckon(self, values: Values) -> Tensor:
        return FUNCTIONS[self.function](*(a.reckon(values) for a in self.arguments))


@dataclass(frozen=True)
class Where(Formula):
    """One formula where a condition holds, another where it does not."""

    condition: Formula
    then: Formula
    otherwise: Formula

    def text(self) -> str:
        parts = (self.condition, self.then, self.otherwise)
        return f"where({', '.join(part.text() for part in parts)})"

    def latex(self) -> str:
        return (
            rf"\begin{{cases}} {self.then.latex()} & {self.condition.latex()} \\ "
            rf"{self.otherwise.latex()} & \text{{else}} \end{{cases}}"
        )

    def reckon(self, values: Values) -> Tensor:
        return torch.where(
            self.condition.reckon(values).bool(),
            self.then.reckon(values),
            self.otherwise.reckon(values),
        )


COMPARED: dict[str, tuple[str, Callable[[Tensor, Tensor], Tensor]]] = {
    ">": (">", torch.gt),
    ">=": (r"\geq", torch.ge),
    "<": ("<", torch.lt),
    "<=": (r"\leq", torch.le),
    "==": ("=", torch.eq),
}


@dataclass(frozen=True)
class Compared(Formula):
    """Whether one formula is greater than another, or whatever `sign` says: 1 or 0."""

    sign: str
    left: Formula
    right: Formula

    def opposite(self) -> Formula:
        """1 where this is 0, and 0 where this is 1."""
        other = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}.get(self.sign)
        if other is None:
            return added(Number(1.0), negative(self))
        return Compared(other, self.left, self.right)

    def text(self) -> str:
        return f"({self.left.text()} {self.sign} {self.right.text()})"

    def latex(self) -> str:
        return rf"\left[{self.left.latex()} {COMPARED[self.sign][0]} {self.right.latex()}\right]"

    def reckon(self, values: Values) -> Tensor:
        _, compared = COMPARED[self.sign]
        return compared(self.left.reckon(values), self.right.reckon(values)).double()


@dataclass(frozen=True)
class Turned(Formula):
    """The transpose of a matrix of weights, times a gradient: `R_i^T da_i`."""

    matrix: str
    weight: Symbol  # [rows, columns]
    by: Formula
    binds = PRODUCT

    def text(self) -> str:
        return f"{self.matrix}^T {self.by._within(POWER)}"

    def latex(self) -> str:
        return rf"{latex_name(self.matrix)}^{{\top}} {self.by._within(POWER, latex=True)}"

    def reckon(self, values: Values) -> Tensor:
        return self.by.reckon(values) @ values[self.weight]


@dataclass(frozen=True, eq=False)
class Other(Formula):
    """An operation that has no formula here: its value, or what it does to a gradient."""

    name: str
    arguments: tuple[Formula, ...]
    work: Callable[..., Tensor]
    gradient: bool = False

    def text(self) -> str:
        what = f"J_{self.name}^T" if self.gradient else self.name
        return f"{what}({', '.join(a.text() for a in self.arguments)})"

    def latex(self) -> str:
        name = rf"\mathrm{{{latex_name(self.name)}}}"
        name = rf"J_{{{name}}}^{{\top}}" if self.gradient else name
        return rf"{name}\left({', '.join(a.latex() for a in self.arguments)}\right)"

    def reckon(self, values: Values) -> Tensor:
        return self.work(*(a.reckon(values) for a in self.arguments))


def added(*terms: Formula) -> Formula:
    """A sum without zeros, and without sums in it."""
    flat: list[Formula] = []
    for term in terms:
        flat += term.terms if isinstance(term, Sum) else [term]
    flat = [term for term in flat if term != Number(0.0)]
    if not flat:
        return Number(0.0)
    return flat[0] if len(flat) == 1 else Sum(tuple(flat))


def product(*factors: Formula) -> Formula:
    """A product, numbers first and as one."""
    number, flat = 1.0, list[Formula]()
    for factor in factors:
        for part in factor.factors if isinstance(factor, Product) else (factor,):
            if isinstance(part, Number):
                number *= part.value
            else:
                flat.append(part)
    if number == 0:
        return Number(0.0)
    if number != 1 or not flat:
        flat.insert(0, Number(number))
    return flat[0] if len(flat) == 1 else Product(tuple(flat))


def negative(formula: Formula) -> Formula:
    return product(Number(-1.0), formula)


def latex_name(name: str, at: str = "") -> str:
    """A name as LaTeX writes it, of a step `at`: `a_i` with an index, `Rn` upright."""
    letter, _, index = name.partition("_")
    main, below = (" ".join("".join(c if c.isalnum() else " " for c in part).split())
                   for part in (letter, index))  # fmt: skip
    main = main if len(main) == 1 else rf"\mathrm{{{main or 'q'}}}"
    under = ",".join(part for part in (rf"\mathrm{{{below}}}" if below else "", at) if part)
    return f"{main}_{{{under}}}" if under else main
