"""Lines of a step as expressions of C."""

from __future__ import annotations

from dataclasses import dataclass

from elman.export.c.tables import float_text
from elman.export.program import Line

COMPARISON, SUM, PRODUCT, ATOM = range(4)  # how tightly an expression holds together
INFIX = {"add": ("+", SUM), "sub": ("-", SUM), "mul": ("*", PRODUCT), "div": ("/", PRODUCT)}
COMPARED = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "=="}
# Functions of lines by their names in C: those of <math.h>, and those of `pieces/`.
FUNCTIONS = {
    "abs": "fabsf", "log": "logf", "sqrt": "sqrtf", "sin": "sinf", "cos": "cosf", "pow": "powf",
    "exp": "exponential", "sigmoid": "sigmoid", "tanh": "hyperbolic_tangent", "relu": "relu",
    "maximum": "maximum", "minimum": "minimum",
}  # fmt: skip


@dataclass(frozen=True)
class Expression:
    """A piece of C, and how tightly it holds together."""

    text: str
    binds: int = ATOM

    def within(self, binds: int) -> str:
        return self.text if self.binds >= binds else f"({self.text})"


def number(value: float) -> Expression:
    return Expression(float_text(value), ATOM if value >= 0 else SUM)


def reckoned(line: Line, parts: list[Expression]) -> Expression:
    """A line's function of its inputs."""
    if line.function in INFIX:
        sign, binds = INFIX[line.function]
        left, right = parts
        # The right side is reckoned first where the program says so: a - (b + c).
        return Expression(f"{left.within(binds)} {sign} {right.within(binds + 1)}", binds)
    if line.function in COMPARED:
        a, b = (part.within(SUM) for part in parts)
        return Expression(f"{a} {COMPARED[line.function]} {b}", COMPARISON)
    match line.function, parts:
        case "neg", [x]:
            return Expression(f"-{x.within(ATOM)}", SUM)
        case "where", [condition, then, otherwise]:
            chosen = f"{condition.text} ? {then.text} : {otherwise.text}"
            return Expression(f"({chosen})")
    arguments = ", ".join(part.text for part in parts)
    return Expression(f"{FUNCTIONS[line.function]}({arguments})")


def called(line: Line) -> str:
    """The function that a line needs, "" for none."""
    return FUNCTIONS.get(line.function, "")
