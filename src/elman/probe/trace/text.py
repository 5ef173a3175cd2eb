"""Traces as plain text, numbers in columns, and as JSON's values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from elman.probe.trace.backward import Backward, BackwardStep
from elman.probe.trace.forward import Step
from elman.probe.trace.teaching import MOST_COLUMNS, Shown
from elman.probe.trace.totals import Total

LINE_WIDTH = 80
LONGEST_LABEL = 50  # characters; longer formulas have their numbers in the lines below them

HEAD = (
    "backward: dc is the gradient of the loss by c, dc_next the part of it that comes from",
    "the step after, dc_back what goes to the step before",
)

Row = tuple[str, Sequence[float]]  # a label and its numbers


def render(steps: Sequence[Step]) -> str:
    """The steps as text, numbers in columns, lines of 80 characters where they can be broken."""
    blocks = [
        (f"step {s.number}", [(f"  {v.name} = {v.formula}", v.numbers) for v in s.values])
        for s in steps
    ]
    return _blocks(blocks)


def render_shown(shown: Shown) -> str:
    """A trace, forward and then backward, as far as it is to be seen."""
    forward = [
        (shown.label(s.number),
         [(f"  {v.name} = {v.formula}", shown.of(v.name, v.numbers)) for v in s.values])
        for s in shown.forward
    ]  # fmt: skip
    parts = [*shown.notes, _blocks(forward)]
    found = shown.backward
    if found is None:
        return "\n".join(parts)
    helpers = [line for step in shown.back for line in step.helpers]
    named = {line.symbol.text(): line.formula.text() for line in helpers}
    parts += ["", *HEAD]
    parts += [f"  {name} stands for {formula}" for name, formula in named.items()]
    parts.append(_blocks([(_backward_head(shown, step), _backward_rows(shown, step))
                          for step in shown.back]))  # fmt: skip
    if found.loss is not None:
        parts.append(f"loss, all steps together: {found.loss:.6f}")
    parts.append(_blocks([("weights, all steps together", _total_rows(shown, found))]))
    parts.append(found.checked.text())
    return "\n".join(parts)


def _backward_head(shown: Shown, step: BackwardStep) -> str:
    told = f"{shown.label(step.number)}, back"
    if step.loss is not None:
        target = ", ".join(map(format_number, step.target))
        told += f": target {target}, loss (y - target)^2 / 2 = {format_number(step.loss)}"
    return told


def _backward_rows(shown: Shown, step: BackwardStep) -> list[Row]:
    return [
        (f"  {one.line.symbol.text()} = {one.line.formula.text()}",
         shown.of(one.line.symbol.name, one.numbers))
        for one in step.lines
    ]  # fmt: skip


def _total_rows(shown: Shown, found: Backward) -> list[Row]:
    rows: list[Row] = []
    for total in found.totals:
        for k, (name, numbers) in enumerate(total_rows(shown, total)):
            label = f"  {total.text()}" if k == 0 else ""
            rows.append((f"{label}{name if k == 0 and name else ''}", numbers))
    return rows


def total_rows(shown: Shown, total: Total) -> list[Row]:
    """The rows of a weight's gradient that are shown; of long ones the norm of each."""
    value = total.value
    outputs = total.parameter.startswith("output")
    if value.dim() == 1:
        numbers = value.tolist()
        return [("", numbers if outputs else shown.of("", numbers))]
    rows = range(len(value)) if outputs or not shown.units else shown.units
    if value.shape[1] > MOST_COLUMNS:
        return [(", norm of each row", [float(value[k].norm()) for k in rows])]
    return [("", value[k].tolist()) for k in rows]


def _blocks(blocks: Sequence[tuple[str, Sequence[Row]]]) -> str:
    """Heads, and below each its rows, the numbers of all in the same columns."""
    rows = [row for _, block in blocks for row in block]
    short = [len(label) for label, _ in rows if len(label) <= LONGEST_LABEL]
    label_width = max(short, default=4)
    width = max((len(format_number(n)) for _, numbers in rows for n in numbers), default=1)
    per_line = max(1, (LINE_WIDTH - label_width) // (width + 2))
    lines = []
    for head, block in blocks:
        lines.append(head)
        for label, numbers in block:
            if len(label) > LONGEST_LABEL or not numbers:
                lines.append(label)
                label = ""
            for start in range(0, len(numbers), per_line):
                part = numbers[start : start + per_line]
                columns = "".join(f"  {format_number(number):>{width}}" for number in part)
                lines.append(f"{label:<{label_width}}{columns}")
                label = ""
    return "\n".join(lines)


def as_json(steps: Sequence[Step]) -> dict[str, Any]:
    """`{"steps": [{"step": 1, "x": […], "a": […], "h": […]}, …]}`, in plain lists and numbers."""
    return {
        "steps": [
            {"step": step.number} | {value.name: list(value.numbers) for value in step.values}
            for step in steps
        ]
    }


def backward_json(found: Backward) -> dict[str, Any]:
    """The way back: `{"loss": …, "backward": [{"step": 2, "dh": […], …}, …], "gradients": …}`.

    `equations` hold the formula of each line, `checked` how far other computations lie away.
    """
    last = found.steps[0] if found.steps else None
    checked = found.checked
    return {
        "loss": found.loss,
        "backward": [
            {"step": step.number, "loss": step.loss, "target": list(step.target)}
            | {one.line.symbol.text(): list(one.numbers) for one in step.lines}
            for step in found.steps
        ],
        "equations": {
            one.line.symbol.text(): one.line.formula.text() for one in (last.lines if last else ())
        },
        "gradients": {f"d{total.name}": total.value.tolist() for total in found.totals},
        "checked": {
            "holds": checked.holds,
            "largest_gradient": checked.largest,
            "autograd": checked.autograd,
            "finite_differences": checked.differences,
            "moved": checked.tried,
        },
    }


def format_number(number: float) -> str:
    """Six digits after the point; very large and very small ones with an exponent."""
    plain = number == 0 or 1e-4 <= abs(number) < 1e6
    return f"{number + 0.0:.6f}" if plain else f"{number:.3e}"  # -0.0 + 0.0 is 0.0
