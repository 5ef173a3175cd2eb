"""Padded batches, for one network or for several of different folds, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from elman.data.batching import Buckets, Share, padded
from elman.tasks.classify.curves.augmentation import Augmentation
from elman.tasks.classify.data import Labelled
from elman.tasks.classify.model import Classifier
from elman.tasks.classify.options import ClassifyOptions
from elman.tasks.task import Carry, Epoch


class Batch(NamedTuple):
    """Padded sequences and their classes; of several `parts` one after the other, B of each."""

    x: Tensor  # [parts * B, T, I] float32, or [parts * B, T] int64
    lengths: Tensor  # [parts * B]
    y: Tensor  # [parts * B], or [parts * B, C] of several labels at once
    weights: Tensor | None = None  # [C], of the classes in the loss; of each label where it is
    smoothing: float = 0.0
    parts: int = 1


@dataclass(frozen=True)
class Batches:
    """The training batches of one epoch. Each of several parts is gone through at least once."""

    dataset: Labelled
    parts: list[NDArray[np.int64]]  # numbers of the training sequences that each holds
    orders: list[Buckets]  # of each part
    augmentation: Augmentation
    seed: tuple[int, int]
    weights: Tensor | None
    smoothing: float

    def __len__(self) -> int:
        return max(map(len, self.orders))

    def __getitem__(self, k: int) -> Batch:
        return self._batch(self._rows(k), (*self.seed, k))

    def part(self, k: int, share: Share) -> Batch | None:
        rows = [share(numbers) for numbers in self._rows(k)]
        return self._batch(rows, (*self.seed, k, share.first)) if len(rows[0]) else None

    def _rows(self, k: int) -> list[NDArray[np.int64]]:
        """The numbers of the sequences of batch k, as many of each part."""
        if not 0 <= k < len(self):
            raise IndexError(f"batch {k} of {len(self)}")
        picked = [
            part[order[k % len(order)]] for part, order in zip(self.parts, self.orders, strict=True)
        ]
        size = max(map(len, picked))
        return [np.resize(numbers, size) for numbers in picked]

    def _batch(self, rows: list[NDArray[np.int64]], seed: tuple[int, ...]) -> Batch:
        chosen = np.concatenate(rows)
        sequences = [self.dataset.inputs[n] for n in chosen]
        if self.augmentation.any:
            draw = np.random.default_rng(seed)
            sequences = [self.augmentation(x, draw) for x in sequences]
        x, lengths = padded(sequences)
        y = torch.from_numpy(self.dataset.targets[chosen])
        return Batch(x, lengths, y, self.weights, self.smoothing, len(rows))


def epoch(
    dataset: Labelled, options: ClassifyOptions, batch_size: int, seed: int, epoch: int
) -> Epoch[Batch]:
    draw = np.random.default_rng((seed, epoch))
    parts = dataset.parts
    orders = [
        Buckets(dataset.lengths[part], batch_size, seed=int(draw.integers(2**62))) for part in parts
    ]
    weights = torch.from_numpy(class_weights(dataset)).float() if options.class_weights else None
    change = Augmentation()
    if dataset.encoder.vocabulary is None:
        change = Augmentation(
            options.jitter or 0.0, options.resizing or 0.0, options.warping or 0.0,
            options.slicing or 0.0,
        )  # fmt: skip
    smoothing = options.label_smoothing or 0.0
    return Batches(dataset, parts, orders, change, (seed, epoch), weights, smoothing)


def loss(model: nn.Module, batch: Batch, carry: Carry, device: str) -> tuple[Tensor, int, Carry]:
    """The mean of the networks' own losses, as each is trained by itself."""
    assert isinstance(model, Classifier)
    scores = model.each(batch.x.to(device), batch.lengths, batch.parts)  # [M, B, C]
    each = torch.stack(batch.y.to(device).chunk(batch.parts))
    y = each.repeat(len(scores) // batch.parts, *[1] * (each.ndim - 1))  # [M, B, …]
    weights = None if batch.weights is None else batch.weights.to(device)
    if y.ndim == 3:
        spread = y.to(scores.dtype) * (1 - batch.smoothing) + batch.smoothing / 2
        total = F.binary_cross_entropy_with_logits(
            scores, spread, pos_weight=weights, reduction="sum"
        )
    else:
        total = F.cross_entropy(
            scores.flatten(0, 1), y.flatten(), weight=weights, reduction="sum",
            label_smoothing=batch.smoothing,
        )  # fmt: skip
    return total / len(scores), scores.shape[1], None


def class_weights(dataset: Labelled) -> NDArray[np.float64]:
    """What lets each class count alike, or each of several labels where it is and where it is not;
    1 for labels that are everywhere or nowhere."""
    targets = dataset.targets[: dataset.trained]
    if dataset.several:
        there = targets.sum(0)
        absent = len(targets) - there
        return np.where((there > 0) & (absent > 0), absent / np.maximum(there, 1), 1.0)
    counts = np.bincount(targets, minlength=len(dataset.classes))
    weights: NDArray[np.float64] = counts.mean() / counts
    return weights
