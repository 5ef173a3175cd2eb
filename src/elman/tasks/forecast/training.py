"""Windows in random order, and what a batch of them costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from elman.data.batching import Share
from elman.tasks import ensemble
from elman.tasks.forecast.data import Batch, Panel
from elman.tasks.forecast.model import each_of
from elman.tasks.forecast.networks import output
from elman.tasks.forecast.networks.network import Network
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.task import Carry, Epoch

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Batches:
    """The training batches of one epoch: windows in random order."""

    dataset: Panel
    order: Ints
    batch_size: int

    def __len__(self) -> int:
        return -(-len(self.order) // self.batch_size)

    def __getitem__(self, k: int) -> Batch:
        return self.dataset.batch(self.dataset.train[self._chosen(k)])

    def part(self, k: int, share: Share) -> Batch | None:
        chosen = share(self._chosen(k))
        return self.dataset.batch(self.dataset.train[chosen]) if len(chosen) else None

    def _chosen(self, k: int) -> Ints:
        if not 0 <= k < len(self):
            raise IndexError(k)
        return self.order[k * self.batch_size : (k + 1) * self.batch_size]


def epoch(
    dataset: Panel, options: ForecastOptions, batch_size: int, seed: int, epoch: int
) -> Epoch[Batch]:
    random = np.random.default_rng((seed, epoch))
    if options.smoothing:
        return Batches(
            dataset, drawn(dataset.train, dataset.settings.look_back, random), batch_size
        )
    order = random.permutation(len(dataset.train))
    return Batches(dataset, order[: options.windows], batch_size)


def drawn(windows: Ints, look_back: int, random: np.random.Generator) -> Ints:
    """The numbers of a few windows [W, 2] of each series, in random order.

    Windows of one series share most of their steps, and all in their second half are learnt from.
    So it is about as many as share none of these, at least one, each at a random place.
    """
    _, firsts, counts = np.unique(windows[:, 0], return_index=True, return_counts=True)
    often = np.maximum(1, counts // max(1, look_back // 2))
    chosen = [
        first + random.choice(count, size=min(n, count), replace=False)
        for first, count, n in zip(firsts, counts, often, strict=True)
    ]
    found: Ints = random.permutation(np.concatenate(chosen))
    return found


def loss(model: nn.Module, batch: Batch, carry: Carry, device: str) -> tuple[Tensor, int, Carry]:
    assert isinstance(model, Network)
    there = Batch(*(part.to(device) for part in batch))
    each = each_of(model)
    found = [output.loss(one, there, *one.answers(there)) for one in each]
    return torch.stack([total for total, _ in found]).mean(), found[0][1], None


def losses_apart(options: ForecastOptions) -> str:
    if options.steps_ahead == "direct":
        return ensemble.losses_apart(options)
    return "in training the network reads true values, in validation its own"
