"""Traces as plain text, numbers in columns, and as JSON's values."""

from __future__ import annotations

from collections.abc import Sequence

from elman.probe.trace.forward import Step

LINE_WIDTH = 80


def render(steps: Sequence[Step]) -> str:
    """The steps as text, numbers in columns, lines of 80 characters where they can be broken."""
    values = [value for step in steps for value in step.values]
    label_width = max(len(f"  {v.name} = {v.formula}") for v in values)
    width = max(len(shown(number)) for v in values for number in v.numbers)
    per_line = max(1, (LINE_WIDTH - label_width) // (width + 2))
    lines = []
    for step in steps:
        lines.append(f"step {step.number}")
        for v in step.values:
            label = f"  {v.name} = {v.formula}"
            for start in range(0, len(v.numbers), per_line):
                part = v.numbers[start : start + per_line]
                columns = "".join(f"  {shown(number):>{width}}" for number in part)
                lines.append(f"{label:<{label_width}}{columns}")
                label = ""
    return "\n".join(lines)


def as_json(steps: Sequence[Step]) -> dict[str, list[dict[str, object]]]:
    """`{"steps": [{"step": 1, "x": […], "a": […], "h": […]}, …]}`, in plain lists and numbers."""
    return {
        "steps": [
            {"step": step.number} | {value.name: list(value.numbers) for value in step.values}
            for step in steps
        ]
    }


def shown(number: float) -> str:
    plain = number == 0 or 1e-4 <= abs(number) < 1e6
    return f"{number:.6f}" if plain else f"{number:.3e}"
