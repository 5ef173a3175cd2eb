"""The Python face of runs: `train`, `resume`, `load`, and the `Run` that they give."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from elman import tasks
from elman.data import handed
from elman.data.handed import Data
from elman.run import at_work, checkpoint, files, folder, prepare, refit
from elman.run.clock import SEARCHED, Clock
from elman.run.job import Job
from elman.run.log import Log
from elman.run.options import parse
from elman.run.parallel.joining import joined
from elman.run.report import write_report
from elman.run.sharing.places import folder_of
from elman.run.tracking.starting import tracking
from elman.run.train import Progress
from elman.run.train import train as training
from elman.run.trained import Evaluation, Run
from elman.run.verdict import Verdict, judged, to_record
from elman.tasks.rivals import Rival

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
    with joined() as ranks:
        job = prepare.new(task, handed.items(data), own, how, clock, silent, ranks=ranks)
        return complete(job, listen)


def resume(
    run: str | Path,
    *,
    epochs: int | None = None,
    minutes: float | None = None,
    learning_rate: float | None = None,
    track: Sequence[str] | None = None,
    listen: Listener = silent,
) -> Run:
    """Go on with a run that was interrupted, or, given more `epochs` or `minutes`, has ended.

    `learning_rate` replaces the highest learning rate, for a run that failed, `track` the trackers.
    Raises what `train` raises.
    """
    with joined() as ranks:
        job = prepare.again(
            Path(run), epochs, minutes, Clock(None), silent, learning_rate, ranks, track
        )
        return complete(job, listen)


def load(run: str | Path, *, device: str = "auto", revision: str | None = None) -> Run:
    """A trained model from its run folder, from a package that `Run.package` made, or from a model
    hub: `elman.load("hf:user/name", revision="v1")`.

    UserError where there is none, or a damaged one; RunError where the hub cannot be reached.
    """
    place = folder_of(run, revision=revision)
    return Run(prepare.trained(place), prepare.choose_device(device))


def complete(job: Job, listen: Listener, say: Callable[[str], None] = silent) -> Run:
    """Train a job to its end, then score it, report it, and give its `Run`.

    With `refit` it is trained once more, on everything, and the `Run` is of that model. Of several
    ranks the first scores and reports; all give the `Run`, for which they need its folder.
    UserError where another process trains this run.
    """
    take_part(job, listen, say)
    final = refit.place(job.folder.path)
    used = final if job.how.refit and final.exists() else job.folder.path
    return load(used, device=job.device)


def take_part(job: Job, listen: Listener, say: Callable[[str], None] = silent) -> None:
    """The same for a rank that has no use for the `Run`."""
    with contextlib.ExitStack() as ours:
        if job.ranks.first:
            mine = at_work.alone(job.folder.path)
            job.ranks.each(lambda: ours.enter_context(mine))
            with tracking(job.folder.path, job.how.track, say) as asking:
                _completed(job, asking.beside(listen))
        else:
            job.ranks.each(lambda: None)
            _completed(job, listen)
        again = refit.job_on_everything(job, say) if job.how.refit else None
        if again is not None:
            _completed(again, listen)
            if job.ranks.first:
                refit.keep_calibration(job.folder, again.folder, again.task)
                refit.keep_scores(job.folder, again.folder)
        job.ranks.each(lambda: None)  # the first has written all


def _completed(job: Job, listen: Listener) -> None:
    """Train a job to its end, then score it and report it, all of which the first rank does."""
    if not job.ranks.first:
        for _ in training(job):
            pass
        return
    rivals: list[Rival] = []
    dataset = job.task.scored(job.dataset)
    is_scored = bool(job.how.validation) or dataset is not job.dataset
    if is_scored:
        rivals = job.task.rivals(dataset, job.options, job.dataset)
        told = [{"name": rival.name, "scores": rival.scores} for rival in rivals]
        files.replace(job.folder.path / folder.RIVALS, json.dumps(told))
    job.task.keep(job.dataset, job.options, job.folder.path)
    job.task.restore(job.model, job.options, job.folder.path)
    final = job.task
    searching = tasks.search_of(job.task.name)
    if searching is not None and job.task.decoded is not None:  # as `evaluate` and `predict` do
        final, job.clock.scorings = job.task.decoded(searching()), SEARCHED
    if job.task.calibrate is not None:
        job.clock.scorings = SEARCHED
    log = Log(job.folder.path / folder.METRICS)
    for event in training(job):
        log.write(event)
        listen(event)
    run = load(job.folder.path, device=job.device)
    if job.task.calibrate is not None:
        job.task.calibrate(run.model, job.dataset, job.options, job.device)
        _, header = checkpoint.read(job.folder.weights)
        checkpoint.write(job.folder.weights, checkpoint.weights_of(run.model), header)
    found = Verdict({}, {})
    if is_scored:
        own = final.validate(run.model, dataset, job.options, job.device)
        found = judged(own.scores, own.tally, rivals)
    _, at = checkpoint.read(job.folder.checkpoint)
    record = to_record(found) | {
        "seconds": job.clock.elapsed,
        "planned": job.planned,
        "epochs": at["epoch"],
        "ended": at["ended"],
    }
    files.replace(job.folder.path / folder.SCORES, json.dumps(record, indent=1))
    samples = [r["sample"] for r in job.folder.metrics() if r.get("sample")]
    remarks = final.remarks(
        run.model, job.dataset, job.options, job.device, samples[-1] if samples else "", run.path
    )
    write_report(
        job.folder,
        job.task.examine(job.dataset).lines(),
        remarks,
        job.task.losses_apart(job.options),
    )
