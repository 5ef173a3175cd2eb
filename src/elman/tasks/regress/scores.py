"""What a regressor tells, and how far that is from what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from elman.chance import Tally
from elman.data.batching import Buckets
from elman.metrics import Loss, Scores
from elman.tasks.regress.data import Encoded, Floats, Measured, Scale
from elman.tasks.regress.model import Regressor
from elman.tasks.regress.options import RegressOptions
from elman.tasks.regress.training import batch_of, summed_loss
from elman.tasks.task import Validation

AT_ONCE = 256  # sequences
ONE_STEP = "one_step_"  # before the names of scores from the true values of the step before
STEPS = 1 << 20  # of all sequences at once
FEWEST, BLOCKS = 6, 20  # sequences below which their blocks are counted, and how many of these


def validate(
    model: nn.Module, dataset: Measured, options: RegressOptions, device: str
) -> Validation:
    """With feedback, the errors without a prefix are those of the network that reads its own
    values; those of `ONE_STEP` are of the one that reads the true values of the step before.
    """
    model, held = cast(Regressor, model), dataset.held
    true = [item.y for item in held]
    told = tell(model, held, options, device)
    scores = errors(told, true, dataset.encoder.y).scores()
    if options.feedback:
        near = tell(model, held, options, device, one_step=True)
        scores |= errors(near, true, dataset.encoder.y).scores(ONE_STEP)
    pairs = [(torch.from_numpy(a), torch.from_numpy(b)) for a, b in zip(told, true, strict=True)]
    total = sum(summed_loss(a, b, options.loss).item() for a, b in pairs)
    loss, tally = (
        Loss(total, sum(y.size for y in true)),
        tally_of(told, true, dataset.encoder.y),
    )
    return Validation(loss, scores, tally=tally)


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
            rest = batch.known.to(device), batch.linear.to(device), batch.folds.to(device)
            if model.feedback and not one_step:
                values = model.run_freely(batch.x.to(device), *rest)
            else:
                x = batch.with_past() if model.feedback else batch.x
                values = model(x.to(device), batch.lengths, *rest)
            for n, value in zip(chosen, values.cpu().numpy(), strict=True):
                told[n] = value[: lengths[n]] if value.ndim == 2 else value
    return told


def tally_of(told: Sequence[Floats], true: Sequence[Floats], scale: Scale) -> Tally:
    """What the root of the mean squared error is counted from: squares and values of each sequence.

    Where there are fewer than `FEWEST` sequences of steps, their blocks are the units, so many that
    there are `BLOCKS` of them in all.
    """
    squares = [
        ((a.astype(np.float64) - b) * scale.deviation) ** 2 for a, b in zip(told, true, strict=True)
    ]
    unit = "sequence"
    if len(squares) < FEWEST and squares[0].ndim == 2:
        unit, pieces = "block", -(-BLOCKS // len(squares))
        squares = [p for one in squares for p in np.array_split(one, min(pieces, len(one)))]
    sums = np.array([(one.sum(), one.size) for one in squares], dtype=np.float64)
    return Tally(unit, sums, lambda s: np.sqrt(s[..., 0] / s[..., 1]))
