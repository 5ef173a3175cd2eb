"""Sentences side by side, and what a batch of them costs: of several networks what it costs each by
itself, on average."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from elman.data.batching import Buckets, Share
from elman.tasks.tag.data import Inputs, Tagged
from elman.tasks.tag.model import Tagger, Taggers
from elman.tasks.tag.options import TagOptions
from elman.tasks.task import Carry, Epoch


class Batch(NamedTuple):
    """Sentences side by side, and the labels of their tokens, sentence after sentence."""

    inputs: Inputs
    labels: Tensor  # [N] int64


@dataclass(frozen=True)
class Batches:
    """The training batches of one epoch."""

    dataset: Tagged
    order: Buckets

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, k: int) -> Batch:
        return self._batch(self.order[k])

    def part(self, k: int, share: Share) -> Batch | None:
        chosen = share(self.order[k])
        return self._batch(chosen) if len(chosen) else None

    def _batch(self, chosen: NDArray[np.int64]) -> Batch:
        labels = np.concatenate([self.dataset.targets[n] for n in chosen])
        return Batch(self.dataset.encoded.inputs(chosen), torch.from_numpy(labels))


def epoch(
    dataset: Tagged, options: TagOptions, batch_size: int, seed: int, epoch: int
) -> Epoch[Batch]:
    draw = int(np.random.default_rng((seed, epoch)).integers(2**62))
    return Batches(dataset, Buckets(dataset.lengths[: dataset.trained], batch_size, seed=draw))


def loss(model: nn.Module, batch: Batch, carry: Carry, device: str) -> tuple[Tensor, int, Carry]:
    assert isinstance(model, Tagger | Taggers)
    labels = batch.labels.to(device)
    each = model.each(batch.inputs.to(device))
    costs = [F.cross_entropy(scores, labels, reduction="sum") for scores in each]
    return torch.stack(costs).mean(), len(labels), None
