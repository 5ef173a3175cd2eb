"""What becomes of a small change of the state: the Jacobian from step to step."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from elman.inspection import pictures
from elman.inspection.section import Found, Section
from elman.inspection.subject import Subject
from elman.probe.jacobian import estimated_radius, places, singular_values, spectral_radius
from elman.probe.measured import Measured
from elman.probe.opened import Pass
from elman.wording import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDE = 384  # numbers of a state from which the radius is estimated and no matrix is made
PLACES, AT_LEAST = 24, 2
LASTING = 0.9  # spectral radius from which a change lasts


@dataclass(frozen=True, eq=False)
class Step:
    """What was measured of one layer in one direction."""

    seen: Pass
    name: str
    radius: Measured
    values: Measured | None  # singular values; None of a wide layer


def find(subject: Subject) -> Found | None:
    passes = subject.passes
    steps = []
    for k, seen in enumerate(passes):
        steps.append(_measure(subject, seen, subject.seconds / (len(passes) - k)))
    findings = [
        line
        for path in subject.paths
        if (own := [step for step in steps if step.seen.path == path])
        for line in _told(subject, path, own)
    ]
    measured = [m for step in steps for m in (step.radius, step.values) if m is not None]
    known = [step for step in steps if step.values is not None]
    return Found(
        findings,
        _table(steps),
        measured,
        functools.partial(draw, known) if known else None,
        "Singular values of the Jacobian from one step to the next, largest first: by how much a "
        "change of the state in each of so many directions grows or shrinks. Means over places, "
        "and one standard deviation.",
    )


def _measure(subject: Subject, seen: Pass, seconds: float) -> Step:
    size = seen.hidden_size * len(seen.cell.states)
    name = subject.called(seen)
    if size > WIDE:
        return Step(seen, name, estimated_radius(seen, places(seen, PLACES)), None)
    began = time.perf_counter()
    first = places(seen, AT_LEAST)
    spectral_radius(seen, first)
    singular_values(seen, first)
    each = (time.perf_counter() - began) / len(first)
    count = int(min(PLACES, max(AT_LEAST, seconds / max(each, 1e-6))))
    at = places(seen, count)
    return Step(seen, name, spectral_radius(seen, at), singular_values(seen, at))


def _told(subject: Subject, path: str, steps: Sequence[Step]) -> list[str]:
    """A sentence on the layer of a module in which changes last longest."""
    most = max(steps, key=lambda step: step.radius.number)
    radius, unit = most.radius.number, subject.unit(path)
    where = f" of {most.name}" if len(steps) > 1 else subject.where(path)
    assert most.radius.spread is not None
    sample = f"± {float(most.radius.spread):.2f}, {counted(most.radius.sample, 'place')}"
    lasts = (
        "may grow from step to step"
        if radius > 1.02
        else "lasts"
        if radius > LASTING
        else f"fades to a tenth within {counted(max(1, round(-1 / np.log10(radius))), unit)}"
        if radius > 1e-3
        else "is gone after a step"
    )
    line = (
        f"A small change of the state{where} {lasts}: spectral radius {radius:.2f} from step to "
        f"step ({sample})"
    )
    if most.values is not None:
        line += f"; in one step it grows at most {most.values.values[0]:.2f} times"
    return [f"{line}."]


def _table(steps: Sequence[Step]) -> list[str]:
    rows = ["| layer | spectral radius | largest singular value |", "|---|---|---|"]
    for step in steps:
        assert step.radius.spread is not None
        radius = f"{step.radius.number:.3f} ± {float(step.radius.spread):.3f}"
        largest = "not made: the state is wide, the radius is estimated"
        if step.values is not None and step.values.spread is not None:
            largest = f"{step.values.values[0]:.3f} ± {step.values.spread[0]:.3f}"
        rows.append(f"| {step.name} | {radius} | {largest} |")
    return rows


def draw(steps: Sequence[Step]) -> Figure:
    """The singular values of each layer."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    panel = figure.subplots()
    for number, step in enumerate(steps):
        assert step.values is not None and step.values.spread is not None
        values, spread = step.values.values, step.values.spread
        at = np.arange(1, len(values) + 1, dtype=np.float64)
        pictures.line(panel, number, at, values, f"{step.name} ({step.seen.cell.name})")
        pictures.band(panel, number, at, np.maximum(values - spread, 0), values + spread)
    panel.axhline(1, color="black", lw=0.8)
    pictures.tidy(panel, "direction, the strongest first", "growth in one step")
    panel.set_ylim(bottom=0)
    panel.legend(frameon=False, fontsize=8)
    return figure


SECTION = Section("stability", "From one step to the next", 3, 1.0, find)
