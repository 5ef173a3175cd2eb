"""An imported network as a run: what the folder will hold, proved against the network first."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from elman import tasks
from elman.errors import UserError
from elman.options import plain
from elman.run import checkpoint, folder
from elman.run.options import TrainOptions

CLOSE = 1e-5  # in probabilities: rounding of float32 over some hundred steps


@dataclasses.dataclass(frozen=True)
class Made:
    """A run to be: options and preprocessing of its task, its tensors, what to tell of it, and
    `differs`, the largest difference between a model of the run and the network it came from."""

    task: str
    options: Any
    preprocessing: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    differs: Callable[[nn.Module], float]
    remarks: tuple[str, ...] = ()


def write(made: Made, source: str, run: Path, *, force: bool) -> float:
    """Makes the run folder and gives the largest difference of its answers. UserError: a place
    that is taken, or a run that does not answer as the network does; nothing is written then."""
    folder.check_free(run, force=force)
    task = tasks.get(made.task)
    model = task.build(made.preprocessing, made.options)
    checkpoint.load_weights(model, made.tensors, Path(source))
    with torch.no_grad():
        difference = made.differs(model.eval())
    if not difference <= CLOSE:
        raise UserError(
            f"{source}: as a run it answers otherwise than as a module, by {difference:.2g}; "
            "nothing was written"
        )
    how = TrainOptions(epochs=1, batch_size=32, learning_rate=1e-3, validation=0)
    tables = {
        "task": made.task, "data": [], "train": plain(how), made.task: plain(made.options)
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        weights = Path(place) / folder.WEIGHTS
        about = {"step": 0, "epochs": 0, "scores": {}, "imported": Path(source).name}
        checkpoint.write(weights, checkpoint.weights_of(model), about)
        copies = {folder.WEIGHTS: weights}
        folder.create(run, tables, made.preprocessing, copies, force=force)
    return difference
