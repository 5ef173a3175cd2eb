"""What a run is made of, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from elman.options import require_range
from elman.run.clock import Clock
from elman.run.folder import RunFolder
from elman.run.options import TrainOptions
from elman.run.parallel.ranks import ALONE, Ranks
from elman.tasks.task import Task


@dataclass(frozen=True)
class Job:
    """Everything a run is made of. `options` are the task's, `how` the training's, all resolved."""

    task: Task[Any, Any, Any]
    data: tuple[str, ...]
    dataset: Any
    options: Any
    how: TrainOptions
    folder: RunFolder
    model: nn.Module
    device: str
    clock: Clock
    planned: str = ""  # what the plan told, of a new run
    ranks: Ranks = ALONE


@dataclass(frozen=True)
class Position:
    """Where a run stands: saved with every checkpoint, so that nothing is counted twice."""

    step: int = 0
    epoch: int = 0
    batch: int = 0  # next batch of the epoch
    units: int = 0  # predictions trained on so far
    best: tuple[float, ...] = ()  # rank of the best validation; empty before the first
    stale: int = 0  # validations since the best
    factor: float = 1.0  # what plateaus left of the learning rate
    validated_at: float = 0.0  # seconds
    seconds: float = 0.0
    metrics_bytes: int = 0
    fall: int = 0  # epochs over which the learning rate falls; 0: until the minutes are over
    fall_epoch: int = 0  # where this fall began
    fall_seconds: float = 0.0
    fall_best: tuple[float, ...] = ()  # the best rank before it
    reached: str = ""  # the goal, once it is reached
    ended: str = ""  # why it ended before its minutes were over, if it did

    def __post_init__(self) -> None:
        counts = (
            "step", "epoch", "batch", "units", "stale", "metrics_bytes", "seconds", "fall",
            "fall_epoch", "fall_seconds",
        )  # fmt: skip
        require_range(self, counts, 0, 2**63)
