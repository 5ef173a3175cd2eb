"""Sequences side by side, and what a batch of them costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.data.batching import Buckets, Share, padded
from elman.tasks import ensemble
from elman.tasks.regress.data import Encoded, Floats, Measured
from elman.tasks.regress.model import Regressor
from elman.tasks.regress.options import RegressOptions
from elman.tasks.task import Carry, Epoch


class Batch(NamedTuple):
    """Padded sequences, and which error is made small."""

    x: Tensor  # [B, T, I]
    lengths: Tensor  # [B]
    known: Tensor  # [B, S], at the start
    y: Tensor  # [B, T, O] or [B, O]
    linear: Tensor  # [L, B, T, O] or [L, B, O]
    folds: Tensor  # [B], -1 where there are none
    loss: str

    def with_past(self) -> Tensor:
        """The inputs beside the true targets of the step before, [B, T, I + O]; before the first
        step stands their mean, 0."""
        past = torch.zeros_like(self.y)
        past[:, 1:] = self.y[:, :-1]
        return torch.cat([self.x, past], -1)


@dataclass(frozen=True)
class Batches:
    """The training batches of one epoch."""

    dataset: Measured
    order: Buckets
    options: RegressOptions

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, k: int) -> Batch:
        return batch_of([self.dataset.inputs[n] for n in self.order[k]], self.options)

    def part(self, k: int, share: Share) -> Batch | None:
        chosen = [self.dataset.inputs[n] for n in share(self.order[k])]
        return batch_of(chosen, self.options) if chosen else None


def epoch(
    dataset: Measured, options: RegressOptions, batch_size: int, seed: int, epoch: int
) -> Epoch[Batch]:
    draw = int(np.random.default_rng((seed, epoch)).integers(2**62))
    order = Buckets(dataset.lengths[: dataset.trained], batch_size, seed=draw)
    return Batches(dataset, order, options)


def loss(model: nn.Module, batch: Batch, carry: Carry, device: str) -> tuple[Tensor, int, Carry]:
    model = cast(Regressor, model)
    x = batch.with_past() if model.feedback else batch.x
    known, linear = batch.known.to(device), batch.linear.to(device)
    each = model.each(x.to(device), batch.lengths, known, linear)  # [M, B, …]
    true = batch.y.to(device).expand_as(each)
    learning = ~model.asked(batch.folds) | (batch.folds < 0)  # [M, B]
    if each.dim() == 4:
        alive = torch.arange(x.shape[1]) < batch.lengths[:, None]
        learning = learning[..., None] & alive
    learning = learning.to(device)
    told, true = each[learning], true[learning]
    return summed_loss(told, true, batch.loss), max(1, true.numel()), None


def losses_apart(options: RegressOptions) -> str:
    if not options.feedback:
        return ensemble.losses_apart(options)
    return "in training the network reads true values, in validation its own"


def batch_of(items: Sequence[Encoded], options: RegressOptions) -> Batch:
    """These sequences side by side; `known` is the static part where the start is encoded."""
    x, lengths = padded([item.x for item in items])
    static = options.initial_state == "encoded"
    known = np.stack([item.static if static else item.state for item in items])
    y = _beside([item.y for item in items])
    answers = len(items[0].linear)
    each = [_beside([item.linear[k] for item in items]) for k in range(answers)]
    told = torch.stack(each) if each else torch.zeros(0)
    folds = torch.tensor([item.fold for item in items])
    return Batch(x, lengths, torch.from_numpy(known), y, told, folds, options.loss)


def _beside(values: Sequence[Floats]) -> Tensor:
    """Values [T, O] as [B, T, O], or [O] as [B, O]."""
    if values[0].ndim == 2:
        return padded(values)[0]
    return torch.from_numpy(np.stack(values))


def summed_loss(told: Tensor, true: Tensor, kind: str) -> Tensor:
    """The summed error of scaled values: squared, absolute, or Huber's with its bend at 1."""
    match kind:
        case "mse":
            return F.mse_loss(told, true, reduction="sum")
        case "mae":
            return F.l1_loss(told, true, reduction="sum")
        case _:
            return F.huber_loss(told, true, reduction="sum")
