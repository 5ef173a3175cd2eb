"""What a search settles before its first trial: axes, the default on them, the time of a run."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from elman import tasks
from elman.options import given
from elman.run import prepare
from elman.run.many import processes
from elman.run.many.sharing import Shared
from elman.run.precision import settle, training
from elman.tasks.task import Budget, Task
from elman.tasks.task import Plan as Planned
from elman.tune import budget
from elman.tune.options import Asked, TuneOptions
from elman.tune.space import alone, settled_values, usual
from elman.tune.study import Plan, fingerprint


def plan(asked: Asked, how: TuneOptions, ends: float, shared: Shared) -> tuple[Plan, list[str]]:
    """The plan of a search that is over at `ends`, and lines for the user; the data is read into
    `shared`. UserError: what `elman train` would refuse, or too few minutes."""
    task = tasks.get(asked.task)
    own, training_how = asked.parsed({})
    threads, jobs = side_by_side(training_how.threads, how.jobs)
    torch.set_num_threads(threads)
    began = time.time()
    dataset = shared.read(asked.task, asked.data or task.built_in, own, training_how.validation)
    page = task.examine(dataset)
    minutes = None
    if training_how.epochs is None:
        now = time.time()
        left = ends - now - (now - began if jobs > 1 else 0.0)  # all workers read it once more
        minutes = how.trial_minutes or budget.trial_minutes(how, jobs, left)
    device = prepare.choose_device(training_how.device)
    planned, precision = _planned(task, dataset, own, training_how, minutes, device)
    found = planned.dataset or dataset
    settled = settled_values(planned.options, training_how) | {
        "learning_rate": planned.learning_rate, "batch_size": planned.batch_size
    }  # fmt: skip
    taken = {*asked.values, *(axis.name for axis in asked.axes)}
    axes = (*asked.axes, *usual(asked.task, settled, taken))
    default = {axis.name: alone(settled.get(axis.name)) for axis in axes}
    default = {name: value for name, value in default.items() if value is not None}
    score = _score(task, found, planned.options, device)
    kept = dataset.preprocessing()
    return Plan(
        axes, default, minutes, threads, jobs, score, page.headline,
        fingerprint(kept, page.headline),
    ), [*page.lines(), f"default: {planned.why}", *filter(None, [precision])]  # fmt: skip


def side_by_side(threads: int | None, jobs: int | None) -> tuple[int, int]:
    """Threads of a run, and runs side by side, so that these do not fight for cores."""
    count = processes.cores()
    jobs = given(jobs, max(1, count // given(threads, 1)))
    return given(threads, max(1, count // jobs)), jobs


def _planned(
    task: Task[Any, Any, Any], dataset: Any, own: Any, how: Any, minutes: float | None, device: str
) -> tuple[Planned[Any], str]:
    torch.manual_seed(how.seed)
    seconds = None if minutes is None else 60 * minutes
    precision = settle(how, device, teaches=task.teaches_in_bf16)
    with training(how):
        wanted = Budget(seconds, how.epochs, how.batch_size, how.learning_rate, device)
        return task.plan(dataset, own, wanted), precision.why


def _score(task: Task[Any, Any, Any], dataset: Any, options: Any, device: str) -> str:
    """The name of the score that decides, as a network tells it that has learnt nothing."""
    kept = dataset.preprocessing()
    model = task.build(kept, options)
    task.start(model, kept, options, dataset)
    with tempfile.TemporaryDirectory() as folder:
        task.keep(dataset, options, Path(folder))
        task.restore(model, options, Path(folder))
        model.to(device).eval()
        found = task.validate(model, dataset, options, device)
    return next(iter(found.scores), "loss")
