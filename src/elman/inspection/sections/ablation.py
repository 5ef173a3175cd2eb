"""Which units carry most: by how much the loss grows when one is held at its mean."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from elman.inspection import pictures
from elman.inspection.section import Found, Section
from elman.inspection.subject import Subject
from elman.probe.ablation import Ablation, ablate, likeliest
from elman.wording import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARTS, SIZE = 4, 4  # batches, and sequences in each
FEW = 3  # units that are told of
ENOUGH = 0.9  # share of a layer's units that must have been asked for half of the cost to be told


def find(subject: Subject) -> Found | None:
    """The last layer of the first module; None where a loss cannot be asked again and again."""
    seen = [one for one in subject.calls[0].passes if not one.reverse][-1]
    parts = [subject]
    if subject.more is not None:
        parts = [subject.more(SIZE, 1 + k) for k in range(PARTS)]
    with torch.no_grad():
        whole = torch.stack([part.loss(subject.model).detach() for part in parts])
    if not bool((whole > 0).all()):  # a density may be anything: no share can be told of it
        return None

    def losses(model: nn.Module) -> Tensor:
        return torch.stack([part.loss(model) for part in parts]) / whole

    order = likeliest(subject.model, losses, seen)
    found = ablate(
        subject.model, losses, seen, units=order, seconds=subject.seconds, unit="share of the loss"
    )
    return Found(
        _told(subject, found),
        [],
        [found.measured()],
        functools.partial(draw, found),
        "By how much of itself the loss grows when a unit is held at its mean at every step, the "
        "units in order; bars are one standard error over parts of the data.",
    )


def _told(subject: Subject, found: Ablation) -> list[str]:
    asked, n = len(found.order), found.costs.shape[1]
    few = []
    for u in found.order[:FEW]:
        error = f" ± {found.costs[u].std(ddof=1) / np.sqrt(n):.1%}" if n > 1 else ""
        few.append(f"{found.mean[u]:.1%}{error} for unit {u}")
    line = f"Held at its mean, a unit raises the loss by at most {', '.join(few)}"
    of = counted(len(found.costs), "unit")
    if asked < ENOUGH * len(found.costs):
        line += f", of {asked} of {of} that there was time for, the likeliest first"
    else:
        line += f"; half of what units cost one by one lies on {found.half} of {of}"
    return [f"{line} ({counted(n, 'batch', 'batches')})."]


def draw(found: Ablation) -> Figure:
    """Costs in order."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.2), layout="constrained")
    panel = figure.subplots()
    costs, n = found.costs[found.order], found.costs.shape[1]
    at = np.arange(1, len(costs) + 1, dtype=np.float64)
    mean = costs.mean(1)
    pictures.line(panel, 0, at, mean, "")
    if n > 1:
        error = costs.std(1, ddof=1) / np.sqrt(n)
        pictures.band(panel, 0, at, mean - error, mean + error)
    for k, u in enumerate(found.order[:FEW]):
        panel.annotate(f"unit {u}", (at[k], mean[k]), xytext=(6, 0), textcoords="offset points",
                       fontsize=8, va="center")  # fmt: skip
    panel.axhline(0, color="black", lw=0.8)
    panel.set_xscale("log")
    pictures.tidy(panel, "units, in order", "growth of the loss, share")
    return figure


SECTION = Section("ablation", "Units that carry most", 6, 1.0, find)
