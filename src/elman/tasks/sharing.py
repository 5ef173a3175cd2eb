"""Epochs whose batches several processes share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, runtime_checkable

from elman.data.batching import Share
from elman.tasks.task import Epoch, One


@runtime_checkable
class Parted(Epoch[One], Protocol[One]):
    """An epoch whose batches can be shared, as those of all of Elman's tasks can."""

    def part(self, k: int, share: Share) -> One | None:
        """What one process reads of batch k; None where no row is left for it. The losses and the
        counts of all parts add up to those of the batch."""


@dataclass(frozen=True)
class OfOne(Generic[One]):
    """What one process reads of an epoch."""

    epoch: Parted[One]
    share: Share

    def __len__(self) -> int:
        return len(self.epoch)

    def __getitem__(self, k: int) -> One | None:
        return self.epoch.part(k, self.share)
