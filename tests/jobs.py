"""What tests of the training loop do with a job."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from torch import Tensor

from elman.run import checkpoint
from elman.run.train import Job, Progress, train


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
