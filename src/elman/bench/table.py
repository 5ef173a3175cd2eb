"""Results as lines of a terminal, as they come."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from elman.bench.compare import Goal, Result
from elman.bench.run import summary

LABEL, COLUMN, WIDTH = 16, 8, 80


class Table:
    """Turns results into lines; a heading comes before each row, and each number of threads, and
    tells the `machine`."""

    def __init__(self, width: int, machine: str = "") -> None:
        self._width, self._machine = width, machine
        self._heading: tuple[object, ...] = ()

    def lines(self, result: Result) -> list[str]:
        heading = (result.row, result.precision, result.threads, *result.values)
        told = [] if heading == self._heading else self._head(result)
        self._heading = heading
        told += [self._line(result)] if self._width >= WIDTH else self._item(result)
        notes = (textwrap.wrap(n, self._width, initial_indent="  ") for n in result.notes)
        return [*told, *(line for note in notes for line in note)]

    def _head(self, result: Result) -> list[str]:
        title = f"{named(result)}, {threads(result)}: {summary(result.row)}"
        if result.product is not None:
            title += f" ({_limits(result)})"
        told = ["", *textwrap.wrap(title, self._width), *textwrap.wrap(self._machine, self._width)]
        if self._width < WIDTH:
            return told
        # Long names in two lines.
        names = [name.rpartition("-") for name in result.values]
        for heading, end in (([n[0] for n in names], ""), ([n[2] for n in names], "  ratio")):
            columns = "".join(f"{name:>{COLUMN}}" for name in heading)
            if any(heading):
                told.append((" " * LABEL + columns + (end if result.ratio else "")).rstrip())
        return told

    def _line(self, result: Result) -> str:
        cells = "".join(f"{shown(v, result.unit):>{COLUMN}}" for v in result.values.values())
        return f"{result.case:{LABEL}}{cells}  {_end(result)}".rstrip()

    def _item(self, result: Result) -> list[str]:
        values = [f"{n} {shown(v, result.unit)}" for n, v in result.values.items()]
        told = f"{result.case}: {', '.join(values)}; {_end(result)}".rstrip("; ")
        return textwrap.wrap(told, self._width, subsequent_indent="  ")


def missed(results: Sequence[Result], width: int) -> list[str]:
    """How many goals are met, and which are not."""
    told: list[str] = []
    count = short = 0
    for result in results:
        for goal in result.goals:
            count += 1
            if not goal.met:
                line = f"  {named(result)} {result.case}, {threads(result)}: {_told(goal)}"
                told += textwrap.wrap(line, width, subsequent_indent="    ")
                short += 1
    if count == 0:
        return []
    return ["", f"{count - short} of {count} goals met" + (":" if told else "."), *told]


def named(result: Result) -> str:
    """The row, and its precision where that is not float32."""
    return result.row if result.precision == "float32" else f"{result.row} {result.precision}"


def threads(result: Result) -> str:
    return f"{result.threads} thread" + ("s" if result.threads > 1 else "")


def shown(value: float | None, unit: str) -> str:
    """A value for its column."""
    if value is None:
        return "-"
    match unit:
        case "%":
            return f"{100 * value:.0f} %"
        case "ms" | "us" | "ns":
            return f"{value:.3g} {unit}" if value < 100 else f"{value:.0f} {unit}"
        case "k":
            return f"{value:.3g} k"
        case "x":
            return f"{value:.2f}"
    return f"{value:.0f} {unit}"


def _limits(result: Result) -> str:
    rates = {"peak": result.peak, "product": result.product}
    told = [f"{name} {rate / 1e9:.0f}" for name, rate in rates.items() if rate is not None]
    return ", ".join(told) + " GF/s"


def _end(result: Result) -> str:
    told = []
    if result.ratio:
        median, low, high = result.ratio
        told.append(f"{median:.2f} ({low:.2f}-{high:.2f})")
    if result.goals:
        told.append("ok" if all(goal.met for goal in result.goals) else "miss")
    return " ".join(told)


def _told(goal: Goal) -> str:
    bound = "at most" if goal.at_most else "at least"
    return f"{goal.what} {goal.reached:.2f}, to be {bound} {goal.reach:g}"
