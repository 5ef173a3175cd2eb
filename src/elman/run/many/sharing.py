"""What the runs of a process share where they read the same: the data, and what stands beside."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from elman import tasks
from elman.options import plain
from elman.run import prepare
from elman.run.api import silent
from elman.run.clock import Clock
from elman.run.job import Job
from elman.run.options import TrainOptions
from elman.tasks.rivals import Rival
from elman.tasks.task import Task

# Options that no data is read by, beside the widths of layers.
OF_LAYERS = frozenset(
    {"cell", "num_layers", "residual", "layer_norm", "dropout", "input_dropout", "locked_dropout",
     "recurrent_dropout", "zoneout", "weight_drop"}
)  # fmt: skip


@dataclass
class Shared:
    """The data set that was read last, the options that it was read by, and all rivals so far."""

    read_by: dict[str, Any] = field(default_factory=dict)
    dataset: Any = None
    rivals: dict[str, list[Rival]] = field(default_factory=dict)  # by such options, as JSON
    ready: float = 0.0  # when all this was there for the first run, by time.time()

    def read(self, task: str, data: Sequence[str], own: Any, validation: float) -> Any:
        """The data, read again only where other options say so. Raises UserError."""
        by = _reading(own) | {"validation": validation}
        if self.dataset is None or self.read_by != by:
            self.dataset, self.read_by = tasks.get(task).read(data, own, validation), by
        return self.dataset

    def job(self, task: str, data: Sequence[str], own: Any, how: TrainOptions) -> Job:
        """The run in the folder `how.run`: new, or as it was left.

        Its clock starts when its data and its rivals are there, so that the same minutes are the
        same time for all. Raises what `prepare` raises.
        """
        assert how.run is not None
        if Path(how.run).exists():
            job = prepare.again(how.run, None, None, Clock(None), silent)
        else:
            dataset = self.read(task, data, own, how.validation)
            job = prepare.new(task, data, own, how, Clock(None), silent, dataset)
        beside = self.beside(job)
        self.ready = self.ready or time.time()
        return replace(job, task=beside, clock=Clock(job.how.seconds))

    def since(self, began: float) -> float:
        """Seconds of a run that began then, by time.time(); what is done once is no part of it."""
        return round(time.time() - max(began, self.ready), 1)

    def beside(self, job: Job) -> Task[Any, Any, Any]:
        """The job's task, whose rivals are reckoned once for all runs that read alike."""
        by = json.dumps(_reading(job.options), sort_keys=True, default=str)
        if by not in self.rivals:
            with torch.random.fork_rng():  # training draws the same whether this was done or not
                scored = job.task.scored(job.dataset)
                self.rivals[by] = job.task.rivals(scored, job.options, job.dataset)
        found = self.rivals[by]
        return replace(job.task, rivals=lambda dataset, options, training: found)


def _reading(options: Any) -> dict[str, Any]:
    """What data is read by: all options but those of the layers."""
    return {
        name: value
        for name, value in plain(options).items()
        if name not in OF_LAYERS and not name.endswith("hidden_size")
    }
