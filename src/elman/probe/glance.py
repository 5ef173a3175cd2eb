"""A glance while a network trains: three numbers from one batch, in one pass there and back.

{"gradient_steps": 14.2, "saturation": 0.08, "spectral_radius": 0.93}
"""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
from torch import nn

from elman.probe.gradients import FALLEN, Flow, LossOf, gradients
from elman.probe.jacobian import estimated_radius, places
from elman.probe.states import saturation

PLACES = 4  # where the spectral radius is estimated
# What the numbers are called, in metrics.jsonl and in curves.
GRADIENT, SATURATION, RADIUS = "gradient_steps", "saturation", "spectral_radius"


def glance(
    model: nn.Module, loss: LossOf, paths: Collection[str] | None = None
) -> dict[str, float]:
    """What a network is like inside, by one batch; `loss` and `paths` as in `gradients`.

    `gradient_steps`: after how many steps gradients have fallen to 1 %, the mean over places of the
    layer through which they reach furthest; a place counts as far as its sequence goes.
    `saturation`: the share of steps at which gates are shut or open, or tanh is at its ends, over
    all gates, units and layers. `spectral_radius`: estimated, of the layer where it is largest.
    What cannot be told, as of sequences of one step, is left out.
    """
    flows = gradients(model, loss, places=1, paths=paths)
    found = {}
    reaches = [_reach(flow) for flow in flows if flow.whole.shape[1] > 1]
    if reaches:
        found[GRADIENT] = max(reaches)
    ends = [saturation(flow.seen).values.sum(1) for flow in flows]
    if any(len(end) for end in ends):
        found[SATURATION] = float(np.concatenate(ends).mean())
    radii = [estimated_radius(flow.seen, places(flow.seen, PLACES)).number for flow in flows]
    found[RADIUS] = max(radii)
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _reach(flow: Flow) -> float:
    """The mean over places of the steps until the gradient stays small, or that there are."""
    steps = []
    for row in flow.relative:
        known = row[np.isfinite(row)]
        above = np.flatnonzero(known >= FALLEN)
        steps.append(above[-1] + 1 if len(above) else 0)
    return float(np.mean(steps))
