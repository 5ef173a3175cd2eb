"""The runs of a comparison, one after another: each is claimed, trained or gone on with, scored.

Several processes may work on one comparison: a run is claimed by a lock that ends with the process
that holds it, and what is done already is passed over. The clock of a run starts when its data and
its rivals are there, so that the same minutes are the same time for all.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from elman import tasks
from elman.comparison.place import Comparison, Planned, options_of
from elman.errors import RunError
from elman.options import plain
from elman.run import api, folder, prepare
from elman.run.clock import Clock
from elman.run.job import Job
from elman.tasks.rivals import Rival
from elman.tasks.task import Task

Say = Callable[[str], None]


@dataclass
class Shared:
    """What the runs of a process share where they read the same: data, and what stands beside."""

    read_by: dict[str, Any] = field(default_factory=dict)  # options that the data was read by
    dataset: Any = None
    rivals_by: dict[str, Any] = field(default_factory=dict)
    rivals: list[Rival] | None = None


def complete(comparison: Comparison, seeds: int, say: Say) -> None:
    """Bring every run to its end that nobody else is at work on; `say` is told how each ended.

    Raises UserError where a run cannot be made at all, KeyboardInterrupt on Ctrl-C; a run that
    fails, as its loss is no longer finite, is noted and passed over.
    """
    shared = Shared()
    for run in comparison.runs(seeds):
        if run.done():
            continue
        with _claimed(run) as mine:
            if mine and not run.done():
                _complete(comparison, run, shared)
                say(told(run))


def told(run: Planned) -> str:
    """How a run ended, in a line."""
    if run.failure.exists():
        return f"{run.name}: failed: {run.failure.read_text(encoding='utf-8').strip()}"
    record = run.scores()
    name, value = next(iter(record["scores"].items()))
    return f"{run.name}: {name.replace('_', ' ')} {value:.4f}, {record['seconds']:.0f} s"


def _complete(comparison: Comparison, run: Planned, shared: Shared) -> None:
    try:
        job = _job(comparison, run, shared)
        job = replace(job, task=_beside(job, shared), clock=Clock(job.how.seconds))
        api.complete(job, api.silent, api.silent)
    except RunError as error:
        if not run.path.exists():
            raise
        folder.replace(run.failure, f"{error}\n")


def _job(comparison: Comparison, run: Planned, shared: Shared) -> Job:
    """A run, new or as it was left."""
    if run.path.exists():
        run.scores()  # UserError: of another comparison
        return prepare.again(run.path, None, None, Clock(None), api.silent)
    task = tasks.get(comparison.asked.task)
    own, how = options_of(task.name, run)
    data = comparison.asked.data or task.built_in
    by = _without_layers(own)
    if shared.dataset is None or shared.read_by != by:
        shared.dataset, shared.read_by = task.read(data, own, how.validation), by
    return prepare.new(task.name, data, own, how, Clock(None), api.silent, shared.dataset)


def _beside(job: Job, shared: Shared) -> Task[Any, Any, Any]:
    """The job's task, whose rivals are reckoned once for all runs that read alike."""
    by = _without_layers(job.options)
    if shared.rivals is None or shared.rivals_by != by:
        with torch.random.fork_rng():  # training draws the same whether this was done or not
            scored = job.task.scored(job.dataset)
            shared.rivals = job.task.rivals(scored, job.options, job.dataset)
        shared.rivals_by = by
    found = shared.rivals
    return replace(job.task, rivals=lambda dataset, options, training: found)


def _without_layers(options: Any) -> dict[str, Any]:
    """What data is read by: all options but those of the layers."""
    return {
        name: value
        for name, value in plain(options).items()
        if name != "cell" and not name.endswith("hidden_size")
    }


@contextlib.contextmanager
def _claimed(run: Planned) -> Iterator[bool]:
    """Whether the run is ours for the time of the block; not, while another process has it."""
    with folder.writing(run.lock):
        run.lock.parent.mkdir(exist_ok=True)
        file = run.lock.open("w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
