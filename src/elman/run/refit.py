"""The final model: trained anew on everything, for as long as a run with a validation part told."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from elman.run import checkpoint, files, folder, prepare
from elman.run.clock import Clock
from elman.run.folder import RunFolder
from elman.run.job import Job
from elman.run.options import TrainOptions
from elman.tasks.task import Task
from elman.wording import counted


def place(run: Path) -> Path:
    """Where the model lies that was trained on everything: a run folder within that of the run."""
    return run / "refit"


def job_on_everything(job: Job, say: Callable[[str], None]) -> Job | None:
    """The training on everything, new or to be gone on with; None where there is nothing to do.

    It has the options that the run settled, and as many epochs as its best weights had seen.
    """
    ranks = job.ranks
    left = ranks.from_first(lambda: _left(job.folder, say))
    if left is None:
        return None
    how, begun = left
    if begun:
        return prepare.again(place(job.folder.path), None, None, Clock(None), say, ranks=ranks)
    old = prepare.trained(job.folder.path) if ranks.first else job
    return prepare.new(
        job.task.name, old.data, old.options, how, Clock(None), lambda line: None, ranks=ranks
    )


def _left(run: RunFolder, say: Callable[[str], None]) -> tuple[TrainOptions, bool] | None:
    """How a run is to be trained on everything, and whether that has begun."""
    there = RunFolder(place(run.path))
    if there.scores():
        return None
    old = prepare.trained(run.path)
    if there.checkpoint.exists():
        return old.how, True
    if getattr(old.options, "folds", None):
        say("--refit: every sequence was trained on already, each by all networks but one")
        return None
    _, best = checkpoint.read(run.weights)
    epochs = max(1, round(best.get("epochs", 1)))
    how = dataclasses.replace(
        old.how, run=there.path, force=there.path.exists(), minutes=None, cycle=None,
        epochs=epochs, validation=0.0, patience=0, refit=False,
    )  # fmt: skip
    say(f"once more on everything, {counted(epochs, 'epoch')}: run folder {there.path}")
    return how, False


def keep_calibration(run: RunFolder, refit: RunFolder, task: Task[Any, Any, Any]) -> None:
    """Gives the model that was trained on everything, which has nothing to be calibrated by, what
    the run that it repeats was calibrated to."""
    if task.calibrate is None:
        return
    old, _ = checkpoint.read(run.weights)
    new, header = checkpoint.read(refit.weights)
    kept = {name: tensor for name, tensor in old.items() if name.startswith(task.calibration)}
    if all(new[name].shape == tensor.shape for name, tensor in kept.items()):
        checkpoint.write(refit.weights, new | kept, header)


def keep_scores(run: RunFolder, refit: RunFolder) -> None:
    """Gives the model that was trained on everything the scores of the run that it repeats."""
    record = run.scores() | {
        "planned": "the run in the folder above, once more, with nothing held back: the scores are "
        "those of that run"
    }
    files.replace(refit.path / folder.SCORES, json.dumps(record, indent=1))
