"""Traces for teaching: a LaTeX document, and Markdown with its mathematics between dollar signs."""

from __future__ import annotations

from collections.abc import Sequence

from elman.probe.trace.backward import Backward, BackwardStep
from elman.probe.trace.expressions import Number, latex_name
from elman.probe.trace.forward import Step
from elman.probe.trace.teaching import Shown, forward_latex, latex_text
from elman.probe.trace.text import format_number, total_rows

HEAD = r"""\documentclass{article}
\usepackage{amsmath}
\usepackage[utf8]{inputenc}
\usepackage[margin=2cm]{geometry}
\allowdisplaybreaks
\begin{document}
"""

Equation = tuple[str, str, Sequence[float]]  # left and right side in LaTeX, and the numbers


def latex(shown: Shown) -> str:
    """A document that compiles by itself with the amsmath package."""
    cell = shown.cell
    lines = [HEAD, rf"\section*{{{latex_text(cell.name)}: {latex_text(cell.summary)}}}"]
    lines += [latex_text(note) + r"\par" for note in shown.notes]
    for step in shown.forward:
        lines.append(rf"\subsection*{{{latex_text(shown.label(step.number).capitalize())}}}")
        lines.append(_aligned(_forward(shown, step)))
    found = shown.backward
    if found is not None:
        lines.append(rf"\section*{{Backward}}{NAMES}")
        helpers = _helpers(shown)
        if helpers:
            lines.append(_aligned([(left, right, ()) for left, right in helpers]))
        for back in shown.back:
            title = f"{shown.label(back.number).capitalize()}, back"
            lines.append(rf"\subsection*{{{latex_text(title)}}}")
            lines.append(_aligned(_backward(shown, back)))
        lines.append(r"\section*{The weights, all steps together}")
        lines.append(_aligned(_totals(shown, found)))
        lines.append(latex_text(found.checked.text().capitalize()) + ".")
    return "\n".join([*lines, r"\end{document}"])


NAMES = (
    r" Here $\mathrm{d}c_{t}$ is $\partial L / \partial c_{t}$, and an arrow to the left marks what"
    " goes from a step to the one before it."
)


def markdown(shown: Shown) -> str:
    """Sections with a table for each step: equation and numbers."""
    cell = shown.cell
    lines = [f"# {cell.name}: {cell.summary}", "", *shown.notes]
    for step in shown.forward:
        lines += ["", f"## {shown.label(step.number).capitalize()}", ""]
        lines += _table(_forward(shown, step))
    found = shown.backward
    if found is not None:
        lines += ["", "## Backward", "", NAMES.strip(), ""]
        lines += [f"- ${left} = {right}$" for left, right in _helpers(shown)]
        for back in shown.back:
            lines += ["", f"### {shown.label(back.number).capitalize()}, back", ""]
            lines += _table(_backward(shown, back))
        lines += ["", "## The weights, all steps together", ""]
        lines += [*_table(_totals(shown, found)), "", found.checked.text().capitalize() + "."]
    return "\n".join(lines)


def _forward(shown: Shown, step: Step) -> list[Equation]:
    formulas = forward_latex(shown.cell)
    rows: list[Equation] = []
    for value in step.values:
        right = formulas.get(value.name, "")
        if value.name == "y" and not right:
            right = rf"V {latex_name(shown.cell.states[0], 't')} + b_{{V}}"
        rows.append((latex_name(value.name, "t"), right, shown.of(value.name, value.numbers)))
    return rows


def _helpers(shown: Shown) -> list[tuple[str, str]]:
    lines = {line.symbol: line.formula for step in shown.back for line in step.helpers}
    return [(symbol.latex(), formula.latex()) for symbol, formula in lines.items()]


def _backward(shown: Shown, step: BackwardStep) -> list[Equation]:
    rows: list[Equation] = []
    if step.loss is not None:
        loss = r"\tfrac{1}{2} \left(y_{t} - \mathrm{target}_{t}\right)^{2}"
        rows.append((r"\mathrm{target}_{t}", "", step.target))
        rows.append(("L_{t}", loss, (step.loss,)))
    for one in step.lines:
        line = one.line
        right = "0" if line.formula == Number(0.0) else line.formula.latex()
        rows.append((line.symbol.latex(), right, shown.of(line.symbol.name, one.numbers)))
    return rows


def _totals(shown: Shown, found: Backward) -> list[Equation]:
    rows: list[Equation] = []
    for total in found.totals:
        left, right = total.latex().split(" = ", 1)
        for k, (norms, numbers) in enumerate(total_rows(shown, total)):
            told = rf"{right} \quad \text{{(norm of each row)}}" if norms else right
            rows.append((left if k == 0 else "", told if k == 0 else "", numbers))
    return rows


def _aligned(rows: Sequence[Equation]) -> str:
    lines = []
    for left, right, numbers in rows:
        parts = [part for part in (right, _vector(numbers)) if part]
        lines.append(f"{left} &= {' = '.join(parts)}" if left else rf"&\phantom{{=}} {parts[-1]}")
    joined = " \\\\\n".join(lines)
    return f"\\begin{{align*}}\n{joined}\n\\end{{align*}}"


def _table(rows: Sequence[Equation]) -> list[str]:
    lines = ["| equation | numbers |", "|---|---|"]
    for left, right, numbers in rows:
        equation = f"${left} = {right}$" if right else f"${left}$" if left else ""
        equation = equation.replace("|", r"\vert ")
        lines.append(f"| {equation} | {', '.join(map(format_number, numbers))} |")
    return lines


def _vector(numbers: Sequence[float]) -> str:
    if not numbers:
        return ""
    return rf"\left({', '.join(map(_number, numbers))}\right)"


def _number(number: float) -> str:
    mantissa, _, exponent = format_number(number).partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa
