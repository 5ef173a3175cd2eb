"""What tests of the training loop do with a job."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Protocol, cast

from torch import Tensor

from elman.run import checkpoint
from elman.run.job import Job
from elman.run.train import Progress, train
from elman.tasks.task import Epoch


class MakeJob(Protocol):
    """The fixture `make_job`: options as on the command line."""

    def __call__(self, name: str = "run", **options: object) -> Job: ...


def finish(job: Job) -> list[Progress]:
    """Train to the end: all that was reported."""
    return list(train(job))


def final(run: Path) -> dict[str, Tensor]:
    """Every tensor that a run leaves; those of the best weights under `best.`."""
    state, _ = checkpoint.read(run / "checkpoint/state.safetensors")
    best, _ = checkpoint.read(run / "model.safetensors")
    return state | {f"best.{name}": tensor for name, tensor in best.items()}


class PowerCut(Exception):
    """What ends a run at any instant."""


def fails_after(job: Job, batches: int) -> Job:
    """The same job, whatever its task, without power once so many batches were read."""
    return dataclasses.replace(job, task=cast(Any, _Failing(job.task, batches)))


class _Failing:
    """A task whose data can be read so many times."""

    def __init__(self, task: Any, batches: int) -> None:
        self.task, self.left = task, batches

    def __getattr__(self, name: str) -> Any:
        return getattr(self.task, name)

    def epoch(self, *arguments: Any) -> Epoch[Any]:
        return _FailingEpoch(self, self.task.epoch(*arguments))


class _FailingEpoch:
    def __init__(self, task: _Failing, epoch: Epoch[Any]) -> None:
        self.task, self.epoch = task, epoch

    def __len__(self) -> int:
        return len(self.epoch)

    def __getitem__(self, k: int) -> Any:
        self.task.left -= 1
        if self.task.left < 0:
            raise PowerCut
        return self.epoch[k]
