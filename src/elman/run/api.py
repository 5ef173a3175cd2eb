"""The Python face of runs: `train`, `resume`, `load`, and the `Run` that they give."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from elman.data import handed
from elman.data.handed import Data
from elman.run import checkpoint, folder, prepare
from elman.run.clock import Clock
from elman.run.log import Log
from elman.run.options import parse
from elman.run.report import write_report
from elman.run.train import Job, Progress
from elman.run.train import train as training
from elman.run.trained import Evaluation, Run
from elman.tasks.task import Doubts, losses_apart, scored

__all__ = ["Evaluation", "Run", "complete", "load", "resume", "train"]

Listener = Callable[[Progress], None]


def silent(event: object) -> None:
    """A listener that does nothing."""


def train(task: str, *data: Data, listen: Listener = silent, **options: Any) -> Run:
    """Train a model: `elman.train("text", "hamlet.txt", cell="lstm", hidden_size=512, epochs=50)`.

    `data` as on the command line, or data frames of pandas or polars and data sets of Hugging Face,
    which the run keeps as copies; none for the built-in set. `options` are those of the command
    line, with underscores; a list gives one value for each layer. `listen` is called with every
    `Progress`. Raises UserError for wrong input, RunError when the training itself fails.
    """
    clock = Clock(None)
    own, how = parse(task, options)
    job = prepare.new(task, handed.items(data), own, how, clock, silent)
    return complete(job, listen)


def resume(
    run: str | Path,
    *,
    epochs: int | None = None,
    minutes: float | None = None,
    learning_rate: float | None = None,
    listen: Listener = silent,
) -> Run:
    """Go on with a run that was interrupted, or, given more `epochs` or `minutes`, has ended.

    `learning_rate` replaces the highest learning rate, for a run that failed. Raises what `train`
    raises.
    """
    job = prepare.again(Path(run), epochs, minutes, Clock(None), silent, learning_rate)
    return complete(job, listen)


def load(run: str | Path, *, device: str = "auto") -> Run:
    """A trained model from its run folder. UserError where there is none, or a damaged one."""
    return Run(prepare.trained(Path(run)), prepare.choose_device(device))


def complete(job: Job, listen: Listener) -> Run:
    """Train a job to its end, then score it, report it, and give its `Run`."""
    name, baseline = "", dict[str, float]()
    dataset = scored(job.task, job.dataset)
    if job.how.validation or dataset is not job.dataset:
        name, baseline = job.task.baseline(dataset, job.options, job.dataset)
    log = Log(job.folder.path / folder.METRICS)
    for event in training(job):
        log.write(event)
        listen(event)
    run = load(job.folder.path, device=job.device)
    _, best = checkpoint.read(job.folder.weights)
    scores = best.get("scores", {})
    if dataset is not job.dataset:
        scores = job.task.validate(run.model, dataset, job.options, job.device).scores
    chance = 0.0
    if baseline and isinstance(job.task, Doubts):
        chance = job.task.chance(run.model, dataset, job.options, job.dataset, job.device)
    record = {
        "scores": scores,
        "baseline": baseline,
        "baseline_name": name,
        "chance": chance,
        "seconds": job.clock.elapsed,
    }
    folder.replace(job.folder.path / folder.SCORES, json.dumps(record, indent=1))
    samples = [r["sample"] for r in job.folder.metrics() if r.get("sample")]
    remarks = job.task.remarks(
        run.model, job.dataset, job.options, job.device, samples[-1] if samples else "", run.path
    )
    write_report(
        job.folder,
        job.task.examine(job.dataset).lines(),
        remarks,
        losses_apart(job.task, job.options),
    )
    return run
