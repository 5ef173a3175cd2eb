"""Which units carry most: the loss when a unit is held at its mean, at every step.

A held unit keeps the value of its output from before the first step on, in the recurrence and for
whatever reads it; all others run on. That is zoneout (Krueger et al. 2017, arXiv:1606.01305) with
the share 1 for this unit alone, so that it is the same for every cell.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from elman.errors import UserError
from elman.layers.scan import Direction, State
from elman.probe.measured import Measured
from elman.probe.opened import Change, Pass, opened
from elman.wording import counted

Floats: TypeAlias = NDArray[np.float64]
Losses: TypeAlias = Callable[
    [nn.Module], Tensor
]  # the mean loss of each of n parts of the data, [n]

FEW = 5  # units that are told of


@dataclass(frozen=True, eq=False)
class Ablation:
    """By how much the loss grows when each unit is held, on the same data.

    `costs` [U, n] of U units and n parts; NaN for units that there was no time for.
    """

    name: str  # of the layer
    costs: Floats
    loss: float  # with every unit at work
    unit: str = "nats"

    @property
    def mean(self) -> Floats:
        """Over the parts, [U]."""
        mean: Floats = self.costs.mean(1)
        return mean

    @property
    def order(self) -> list[int]:
        """The units that were asked for, those that cost most first."""
        ranked = np.argsort(-np.nan_to_num(self.mean, nan=-np.inf), kind="stable")
        return [int(u) for u in ranked if not np.isnan(self.mean[u])]

    @property
    def half(self) -> int:
        """How many units bear half of all that units cost one by one."""
        gained = np.sort(np.clip(np.nan_to_num(self.mean), 0, None))[::-1].cumsum()
        return int(np.searchsorted(gained, gained[-1] / 2)) + 1 if gained[-1] > 0 else 0

    def measured(self) -> Measured:
        """For page and JSON; the spread is that over the parts."""
        n = self.costs.shape[1]
        spread = self.costs.std(1, ddof=1) if n > 1 else None
        return Measured(
            f"loss by which a unit held at its mean costs, {self.name}", self.mean, self.unit,
            ("unit",), n, "parts of the data", spread,
        )  # fmt: skip

    def told(self) -> str:
        """Which units carry most, in a sentence."""
        n, asked = self.costs.shape[1], len(self.order)
        few = []
        for u in self.order[:FEW]:
            error = f" ± {self.costs[u].std(ddof=1) / np.sqrt(n):.4f}" if n > 1 else ""
            few.append(f"{u} (+{self.mean[u]:.4f}{error})")
        return (
            f"Held at its mean, unit {', '.join(few)} costs most {self.unit} of {self.loss:.4f}; "
            f"half of what units cost one by one lies on {counted(self.half, 'unit')} of {asked} "
            f"({counted(n, 'part')} of the data)"
        )


def ablate(
    model: nn.Module,
    losses: Losses,
    seen: Pass,
    *,
    units: Sequence[int] | None = None,
    seconds: float = float("inf"),
    unit: str = "nats",
) -> Ablation:
    """Hold the units of one layer in one direction, one after the other, at their means in `seen`.

    `losses(model)` are mean losses [n] of parts of the data, the same each time. All units are
    asked, or those given, until the seconds are over, one in any case.
    UserError: no such unit.
    """
    H = seen.hidden_size
    asked = list(range(H)) if units is None else list(units)
    if wrong := [u for u in asked if not 0 <= u < H]:
        raise UserError(f"unit {wrong[0]}: {seen.name} has {H}, from 0")
    until = time.monotonic() + seconds
    means = _means(seen)
    with opened(model):
        whole = _array(losses(model))
    costs = np.full((H, len(whole)), np.nan)
    for k, u in enumerate(asked):
        if k and time.monotonic() > until:
            break
        with opened(model, change=held(seen, {u: float(means[u])})):
            costs[u] = _array(losses(model)) - whole
    return Ablation(seen.name, costs, float(whole.mean()), unit)


def likeliest(model: nn.Module, losses: Losses, seen: Pass) -> list[int]:
    """All units, those first that would cost most if the loss were straight: by one pass backward.

    The estimate of a unit is the sum over steps of (mean - h) dL/dh, in either direction.
    """
    means = torch.from_numpy(_means(seen))
    with opened(model, gradients=True) as layers:
        total = losses(model).sum()
        steps = layers.of(seen.path, seen.layer, reverse=seen.reverse)[seen.call].steps
        outputs = [step.after[0] for step in steps]
        gradients = torch.autograd.grad(total, outputs, allow_unused=True)
    estimate = torch.zeros_like(means)
    for h, gradient in zip(outputs, gradients, strict=True):
        if gradient is not None:
            estimate += ((means - h.detach().cpu()) * gradient.cpu()).sum(0)
    return [int(u) for u in estimate.abs().argsort(descending=True, stable=True)]


def held(seen: Pass, values: dict[int, float]) -> Change:
    """What `opened` needs so that units of one layer and direction keep these values throughout."""

    def change(
        path: str, layer: int, before: State, directions: Sequence[Direction]
    ) -> tuple[State, Sequence[Direction]]:
        if (path, layer) != (seen.path, seen.layer):
            return before, directions
        d, at = int(seen.reverse), list(values)
        first = before[0].clone()
        first[d, :, at] = torch.tensor(list(values.values()), dtype=torch.float64).to(first)
        direction = directions[d]
        keep = direction.keep or tuple(s.new_zeros(1, s.shape[-1]) for s in before)
        output = keep[0].clone()
        output[:, at] = 1
        changed = dataclasses.replace(direction, keep=(output, *keep[1:]))
        return (first, *before[1:]), [changed if k == d else x for k, x in enumerate(directions)]

    return change


def _means(seen: Pass) -> Floats:
    """Of each unit's output over all steps, [H]."""
    values = seen.values(seen.cell.states[0])
    return _array(values[seen.rows.alive.to(values.device)].mean(0))


def _array(values: Tensor) -> Floats:
    found: Floats = (values if values.dim() else values[None]).detach().double().cpu().numpy()
    return found
