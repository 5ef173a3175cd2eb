"""How far back the network learns: gradients by lag."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from elman.inspection import pictures
from elman.inspection.section import Found, Section
from elman.inspection.subject import Subject
from elman.probe.gradients import FALLEN, Flow, gradients
from elman.probe.measured import Measured
from elman.wording import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 0.5  # share of places at which gradients must have fallen for the number to be told
SIMPLE = ("rnn", "rnn-relu")
WIDE = 2.0  # how many times larger a gradient is, further back, where it is said to explode
GONE = 1e-6  # share below which nothing is drawn
COSTLY = 0.05  # share beyond the truncation from which it may cost something


def find(subject: Subject) -> Found | None:
    """None where every module reads one step only."""
    if all(len(call.rows.sizes) < 2 for call in subject.calls):
        return None
    flows = gradients(subject.model, subject.loss, paths=subject.paths, seconds=subject.seconds)
    flows = [flow for flow in flows if flow.whole.shape[1] > 1]
    findings = [
        line
        for path in subject.paths
        if (own := [flow for flow in flows if flow.seen.path == path])
        for line in _told(subject, path, own)
    ]
    measured: list[Measured] = []
    for flow in flows:
        measured += [flow.share_by_lag(), *flow.reach(), flow.growth()]
        measured += [flow.by_lag(state) for state in flow.norms]
        if subject.look is not None and subject.look.truncation:
            measured.append(flow.beyond(subject.look.truncation))
    rows = [
        "| layer | 1 % after | at the last step seen | from step to step |",
        "|---|---|---|---|",
    ]
    rows += [_row(subject, flow) for flow in flows]
    return Found(
        findings,
        rows,
        measured,
        functools.partial(draw, subject, flows),
        "How much of a gradient is left so many steps back, in the direction in which a layer "
        "reads: means over places, and the middle half of them. All states of a layer count "
        "together.",
    )


def _told(subject: Subject, path: str, flows: Sequence[Flow]) -> list[str]:
    """Sentences on one module, by the layer through which gradients reach furthest."""
    furthest = max(flows, key=_reaching)
    unit, where = subject.unit(path), subject.where(path)
    places = counted(len(furthest.whole), "place")
    reach, never = furthest.reach()
    seen = furthest.share_by_lag().values
    last = int(np.flatnonzero(np.isfinite(seen))[-1])
    left = float(seen[last])
    if left > WIDE:
        told = (
            f"Gradients{where} grow to {left:,.1f} times their size within {counted(last, unit)} "
            f"({places}): they explode, and only clipping (--clip-norm) holds them"
        )
    elif never.number > 1 - MOST or math.isnan(reach.number):
        told = (
            f"Gradients{where} have {left:.2g} of their size left {counted(last, unit)} back "
            f"({places}): the network can learn from all that it is shown here"
        )
    else:
        assert reach.spread is not None
        later = f", further at {never.number:.0%} of them" if never.number >= 0.005 else ""
        told = (
            f"Gradients{where} fall to {FALLEN:.0%} after {counted(round(reach.number), unit)} "
            f"(± {_short(float(reach.spread))}, {places}{later}): "
            "this network learns little from what lies further back"
        )
        if all(flow.seen.cell.name in SIMPLE for flow in flows):
            told += "; lstm or gru reach further"
    lines = [f"{told}."]
    truncation = None if subject.look is None else subject.look.truncation
    dropped = math.nan if truncation is None else furthest.beyond(truncation).number
    if truncation and not math.isnan(dropped):
        rest = (
            "whether what lies there would be of use, only the loss by context can tell"
            if dropped > COSTLY
            else "a larger --sequence-length would bring little"
        )
        lines.append(
            f"Training cuts gradients every {counted(truncation, unit)}, which drops "
            f"{dropped:.0%} of them: {rest}."
        )
    return lines


def _short(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def _reaching(flow: Flow) -> float:
    reach, never = flow.reach()
    return math.inf if never.number > 1 - MOST or math.isnan(reach.number) else reach.number


def _row(subject: Subject, flow: Flow) -> str:
    reach, never = flow.reach()
    share, growth = flow.share_by_lag().values, flow.growth()
    known = np.flatnonzero(np.isfinite(share))
    after = "not within what was seen"
    if not math.isnan(reach.number):
        assert reach.spread is not None
        unit, spread = subject.unit(flow.seen.path), float(reach.spread)
        after = f"{_short(reach.number)} ± {_short(spread)} {unit}s"
        after += f", at {never.number:.0%} of places later" if never.number >= 0.005 else ""
    left = f"{share[known[-1]]:.2g} after {known[-1]}"
    factor = "" if math.isnan(growth.number) else f"× {growth.number:.3f}"
    return f"| {subject.called(flow.seen)} | {after} | {left} | {factor} |"


def draw(subject: Subject, flows: Sequence[Flow]) -> Figure:
    """A line for each layer and direction over the lag, on a logarithmic axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    panel = figure.subplots()
    lowest, last = 1.0, 1.0
    for number, flow in enumerate(flows):
        share = flow.share_by_lag()
        lags = np.flatnonzero(np.isfinite(share.values) & (share.values > 0))
        if not len(lags):
            continue
        relative = flow.relative[:, lags]
        low, high = np.nanquantile(relative, (0.25, 0.75), axis=0)
        name = f"{subject.called(flow.seen)} ({flow.seen.cell.name})"
        pictures.line(panel, number, lags.astype(float), share.values[lags], name)
        pictures.band(panel, number, lags.astype(float), np.maximum(low, 1e-12), high)
        lowest = min(lowest, float(share.values[lags].min()))
        last = max(last, float(lags[share.values[lags] > GONE].max(initial=1)))
    panel.axhline(FALLEN, color="black", lw=0.8)
    panel.annotate(f"{FALLEN:.0%}", (1, FALLEN), xycoords=("axes fraction", "data"), ha="right",
                   va="bottom", fontsize=8)  # fmt: skip
    panel.set_yscale("log")
    panel.set_ylim(bottom=max(GONE, lowest / 2))
    panel.set_xlim(-0.02 * last, 1.05 * last)
    truncation = None if subject.look is None else subject.look.truncation
    if truncation and truncation < panel.get_xlim()[1]:
        panel.axvline(truncation, color="black", lw=0.8, ls=":")
        panel.annotate("cut in training", (truncation, 1), xycoords=("data", "axes fraction"),
                       rotation=90, ha="right", va="top", fontsize=8)  # fmt: skip
    units = {subject.unit(flow.seen.path) for flow in flows}
    back = f"{units.pop() if len(units) == 1 else 'step'}s back"
    pictures.tidy(panel, back, "gradient, share of that at the step itself")
    panel.legend(frameon=False, fontsize=8)
    return figure


SECTION = Section("gradients", "Gradients through time", 1, 3.0, find)
