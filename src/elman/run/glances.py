"""Looking inside a network while it trains, for no more than a small share of the time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from elman.errors import UserError
from elman.probe.glance import glance
from elman.probe.opened import recurrent_modules
from elman.run.job import Job
from elman.tasks.looking import Look, alike

SHARE = 0.015  # of the time; what a glance takes is known only from the one before
FIRST = 0.1  # seconds that the first one is thought to take
SIZE = 8  # sequences


@dataclass
class Glances:
    """Glances at the network of a job, by the same few sequences of its validation part."""

    job: Job
    began: float = field(default_factory=time.perf_counter)
    spent: float = 0.0  # seconds
    last: float = FIRST
    look: Look[Any] | None = None
    done: bool = False  # whether there is nothing to look at

    def take(self) -> dict[str, float]:
        """What is seen now, as `probe.glance` names it; nothing where it would take too long."""
        now = time.perf_counter()
        if self.done or self.spent + self.last > SHARE * (now - self.began):
            return {}
        try:
            return self._seen()
        except UserError:  # no layer that can be opened, nothing to look at
            self.done = True
            return {}
        finally:
            self.last = time.perf_counter() - now
            self.spent += self.last

    def _seen(self) -> dict[str, float]:
        job = self.job
        if job.task.look is None or not job.how.validation:
            self.done = True
            return {}
        if self.look is None:
            self.look = job.task.look(job.dataset, job.options, SIZE, job.how.seed)
        seen = self.look
        if not seen.steps:
            self.done = True
            return {}

        def loss(model: nn.Module) -> Tensor:
            total, _, _ = job.task.loss(model, seen.batch, None, job.device)
            return total

        found, _ = recurrent_modules(job.model)
        return glance(job.model, loss, [path for path in found if not alike(path)])
