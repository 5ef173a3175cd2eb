"""Streams of tokens or windows over a text, and what a batch of them costs: of several networks
what it costs each by itself, on average."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.data import batching
from elman.tasks.task import Carry, Epoch
from elman.tasks.text.data import TextData
from elman.tasks.text.model import LanguageModel
from elman.tasks.text.options import TextOptions

Batch: TypeAlias = tuple[Tensor, Tensor]


def epoch(
    dataset: TextData, options: TextOptions, batch_size: int, seed: int, epoch: int
) -> Epoch[Batch]:
    ids, steps = dataset.corpus.ids, options.sequence_length
    draw = np.random.default_rng((seed, epoch))
    if options.windowed:
        order = int(draw.integers(2**62))
        return batching.Windows(ids, 0, dataset.cut, batch_size, steps, seed=order)
    batch_size, steps = batching.fit(dataset.cut, batch_size, steps)
    offset = int(draw.integers(steps)) if epoch else 0
    return batching.Streams(ids, 0, dataset.cut, batch_size, steps, offset=offset)


def loss(model: nn.Module, batch: Batch, carry: Carry, device: str) -> tuple[Tensor, int, Carry]:
    x, y = (part.to(device) for part in batch)
    assert isinstance(model, LanguageModel)
    each, state = model.each(x, carry)
    costs = [F.cross_entropy(one.flatten(0, -2), y.flatten(), reduction="sum") for one in each]
    after = None if model.windowed else [tuple(s.detach() for s in layer) for layer in state]
    return torch.stack(costs).mean(), y.numel(), after
