"""What the gates do, how long cells keep what they hold, how long units remember."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from elman.inspection import pictures
from elman.inspection.section import Found, Section
from elman.inspection.subject import Subject
from elman.probe.measured import Measured
from elman.probe.opened import Pass
from elman.probe.states import OPEN, forget_times, memory, roles, saturation
from elman.wording import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
MANY = 0.5  # share of steps at the ends of tanh from which it is told
SAID = {"f": "forget gates", "i": "input gates", "o": "output gates", "z": "update gates",
        "r": "reset gates", "F": "forget gates after scaling"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Layer:
    """What was measured of one layer in one direction."""

    seen: Pass
    name: str
    shares: Measured  # [gate, end]
    kept: dict[str, Measured]  # state → [unit]
    memory: Measured  # of the output, [unit]


def find(subject: Subject) -> Found | None:
    layers = [_measure(subject, seen) for seen in subject.passes]
    findings: list[str] = []
    for path in subject.paths:
        own = [layer for layer in layers if layer.seen.path == path]
        for cell in dict.fromkeys(layer.seen.cell for layer in own):
            findings += _told(subject, [layer for layer in own if layer.seen.cell == cell])
    measured = [m for x in layers for m in (x.shares, *x.kept.values(), x.memory)]
    return Found(
        findings,
        _table(layers),
        measured,
        functools.partial(draw, subject, layers),
        "Left: the share of steps at which gates are shut (below 0.1) and open (above 0.9), or "
        "tanh lies at its ends (beyond 0.9). Right: the share of units that forget within so many "
        "steps; what is held by gates, and what is remembered by autocorrelation.",
    )


def _measure(subject: Subject, seen: Pass) -> Layer:
    output = seen.cell.states[0]
    return Layer(
        seen, subject.called(seen), saturation(seen), forget_times(seen), memory(seen, output)
    )


def _told(subject: Subject, layers: Sequence[Layer]) -> list[str]:
    """Sentences on the layers of one module that have one cell."""
    seen, path = layers[0].seen, layers[0].seen.path
    unit, where = subject.unit(path), subject.where(path)
    role = roles(seen.cell)
    units = sum(layer.seen.hidden_size for layer in layers)
    sample = f"{counted(sum(seen.rows.sizes), unit)}, {counted(units, 'unit')}"

    def share(name: str) -> Floats:
        """How often it is at either end, [2], over the units of all layers."""
        each = [
            layer.shares.values[list(layer.shares.labels["gate"]).index(name)]
            * layer.seen.hidden_size
            for layer in layers
        ]
        found: Floats = np.sum(each, axis=0) / units
        return found

    lines = []
    for state, (gate, turned) in role.kept.items():
        # What lets go is at the end where the gate that keeps is shut.
        lets_go, holds = share(gate)[::-1] if turned else share(gate)
        low, middle, high, most = _quartiles([layer.kept[state].values for layer in layers])
        lines.append(
            f"{lets_go:.0%} of the {_said(gate)}{where} let go at once and {holds:.0%} hold fast "
            f"({sample}): a unit holds {state} for {_held(middle, unit)}, the middle half of them "
            f"for {_steps(low)} to {_steps(high)}, one for {_held(most, unit)}."
        )
    low, middle, high, _ = _quartiles([layer.memory.values for layer in layers])
    if not np.isnan(middle):
        lines.append(
            f"Units{where} remember for {_held(middle, unit)}, the middle half of them for "
            f"{_steps(low)} to {_steps(high)} ({sample}): so long takes the autocorrelation of "
            f"what they put out to fall to 1/e."
        )
    lines += [
        f"{share(name).sum():.0%} of {name}{where} lies at the ends of tanh, beyond {OPEN} "
        f"({sample}): little of a gradient comes through there."
        for name in role.squashed
        if share(name).sum() > MANY
    ]
    if still := sum(int(np.isnan(layer.memory.values).sum()) for layer in layers):
        lines.append(f"{still} of {counted(units, 'unit')}{where} never move ({sample}).")
    return lines


def _said(gate: str) -> str:
    return SAID.get(gate, f"gates {gate}")


def _quartiles(parts: Sequence[Floats]) -> tuple[float, float, float, float]:
    """Lower quarter, median, upper quarter and largest of those that are numbers, infinity among
    them."""
    values = np.concatenate(parts)
    known = np.sort(values[~np.isnan(values)])
    if not len(known):
        return (np.nan,) * 4
    low, middle, high, most = (
        float(known[round(q * (len(known) - 1))]) for q in (0.25, 0.5, 0.75, 1)
    )
    return low, middle, high, most


def _held(value: float, unit: str) -> str:
    if np.isinf(value):
        return "longer than was seen"
    return f"less than one {unit}" if value < 1 else f"{_steps(value)} {unit}s"


def _steps(value: float) -> str:
    if np.isinf(value):
        return "more than was seen"
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def _table(layers: Sequence[Layer]) -> list[str]:
    """A row for each gate of each layer."""
    rows = ["| layer | gate | shut | open | ± over units |", "|---|---|---|---|---|"]
    for layer in layers:
        spread = layer.shares.spread
        assert spread is not None
        for name, share, wide in zip(
            layer.shares.labels["gate"], layer.shares.values, spread, strict=True
        ):
            cells = f"{share[0]:.1%} | {share[1]:.1%} | {wide.max():.1%}"
            rows.append(f"| {layer.name} | `{name}` | {cells} |")
    return rows if len(rows) > 2 else []


def draw(subject: Subject, layers: Sequence[Layer]) -> Figure:
    """Bars of saturation, and times of units in order."""
    from matplotlib.figure import Figure

    gated = [layer for layer in layers if len(layer.shares.values)]
    bars = sum(len(layer.shares.values) for layer in gated)
    height = max(3.6, 0.28 * bars + 1.2)
    figure = Figure(figsize=(10, height), layout="constrained")
    if gated:
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.1))
        _bars(left, gated)
    else:
        right = figure.subplots()
    number, top = 0, 1.0
    for layer in layers:
        curves = [(f"holds {state}", times.values) for state, times in layer.kept.items()]
        curves.append(("remembers", layer.memory.values))
        for what, values in curves:
            known = np.sort(values[np.isfinite(values)])
            if len(known):
                share = (np.arange(len(known)) + 0.5) / len(values)
                pictures.line(right, number, known, share, f"{layer.name}: {what}")
                top = max(top, float(known[-1]))
                number += 1
    right.set_xscale("log")
    right.xaxis.set_major_formatter("{x:g}")
    right.set_ylim(0, 1)
    units = {subject.unit(layer.seen.path) for layer in layers}
    unit = units.pop() if len(units) == 1 else "step"
    pictures.tidy(right, f"{unit}s", "share of units that have forgotten")
    if number:
        right.legend(frameon=False, fontsize=8)
    return figure


def _bars(panel: object, layers: Sequence[Layer]) -> None:
    from matplotlib.axes import Axes

    assert isinstance(panel, Axes)
    names, at = [], 0
    for layer in layers:
        for name, (shut, open_) in zip(
            layer.shares.labels["gate"], layer.shares.values, strict=True
        ):
            first = at == 0
            panel.barh(at, shut, color="#333333", label="shut, or low end" if first else None)
            panel.barh(
                at, open_, left=1 - open_, color="#bbbbbb", hatch="///", edgecolor="#555555",
                label="open, or high end" if first else None,
            )  # fmt: skip
            names.append(f"{layer.name}: {name}" if len(layers) > 1 else name)
            at += 1
    panel.set_yticks(range(at), names)
    panel.invert_yaxis()
    panel.set_xlim(0, 1)
    pictures.tidy(panel, "share of steps", "")
    panel.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncol=2)


SECTION = Section("gates", "Gates and memory of units", 2, 1.0, find)
