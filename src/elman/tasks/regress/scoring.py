"""What a regressor tells, and how far that is from what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from elman.data.batching import Buckets
from elman.tasks.regress.data import Encoded, Floats, Scale, batch_of
from elman.tasks.regress.model import Regressor
from elman.tasks.regress.options import RegressOptions
from elman.tasks.task import Scores

AT_ONCE = 256  # sequences
STEPS = 1 << 20  # of all sequences at once


class Errors(NamedTuple):
    """Of each of O targets, in the data's units: [O] each.

    `r2` is 1 - (squared errors) / (squared distances from the mean), or, for a target that never
    changes, 1 without an error and else 0.
    """

    rmse: NDArray[np.float64]
    mae: NDArray[np.float64]
    r2: NDArray[np.float64]

    def scores(self, prefix: str = "") -> Scores:
        """Over all targets: the root of the mean squared error, and the means of the others."""
        return {
            f"{prefix}rmse": float(np.sqrt((self.rmse**2).mean())),
            f"{prefix}mae": float(self.mae.mean()),
            f"{prefix}r2": float(self.r2.mean()),
        }


def errors(told: Sequence[Floats], true: Sequence[Floats], scale: Scale) -> Errors:
    """Of scaled values [T, O] or [O], sequence by sequence."""
    own, other = (np.concatenate([np.atleast_2d(v) for v in part]) for part in (told, true))
    gap = (own.astype(np.float64) - other) * scale.deviation
    spread = ((other - other.mean(0, dtype=np.float64)) * scale.deviation) ** 2
    squares, still = (gap**2).mean(0), spread.mean(0) == 0
    r2 = np.where(still, squares == 0, 1 - squares / np.where(still, 1.0, spread.mean(0)))
    return Errors(np.sqrt(squares), np.abs(gap).mean(0), r2)


def summed_loss(told: Tensor, true: Tensor, kind: str) -> Tensor:
    """The summed error of scaled values: squared, absolute, or Huber's with its bend at 1."""
    match kind:
        case "mse":
            return F.mse_loss(told, true, reduction="sum")
        case "mae":
            return F.l1_loss(told, true, reduction="sum")
        case _:
            return F.huber_loss(told, true, reduction="sum")


def tell(
    model: Regressor, items: Sequence[Encoded], options: RegressOptions, device: str, *,
    one_step: bool = False,
) -> list[Floats]:  # fmt: skip
    """What the model tells, scaled, of each sequence: [T, O], or [O].

    With feedback it reads its own values of the step before, with `one_step` the true ones.
    """
    lengths = np.array([len(item.x) for item in items], dtype=np.int64)
    at_once = max(1, min(AT_ONCE, STEPS // int(lengths.max())))
    order = Buckets(lengths, at_once, seed=None)
    told: list[Floats] = [np.zeros(0, np.float32)] * len(items)
    with torch.no_grad():
        for chosen in (order[k] for k in range(len(order))):
            batch = batch_of([items[n] for n in chosen], options)
            known = batch.known.to(device)
            if model.feedback and not one_step:
                values = model.run_freely(batch.x.to(device), known)
            else:
                x = batch.with_past() if model.feedback else batch.x
                values = model(x.to(device), batch.lengths, known)
            for n, value in zip(chosen, values.cpu().numpy(), strict=True):
                told[n] = value[: lengths[n]] if value.ndim == 2 else value
    return told


def baseline_of(items: Sequence[Encoded], mean: Floats) -> list[Floats]:
    """The same values [O] everywhere."""
    return [np.broadcast_to(mean, item.y.shape) for item in items]


def persistence_of(items: Sequence[Encoded], mean: Floats) -> list[Floats]:
    """At each step [T, O] the true value of the step before, at the first `mean`."""
    return [np.concatenate([mean[None], item.y[:-1]]) for item in items]
