"""Subjects out of runs and out of models of any origin."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor, nn

from elman.data import handed
from elman.data.handed import Data
from elman.data.tables.content import BadRows
from elman.errors import UserError
from elman.inspection.page import SECONDS, Inspection, inspect
from elman.inspection.subject import Allowance, Subject
from elman.run import prepare

if TYPE_CHECKING:
    from elman.run.trained import Run

FEWEST, MOST = 8, 64  # sequences of a batch
LONG, OF_LONG = 1000, 4  # steps from which there are fewer
STEPS = 2048  # of all of them together, as far as there are enough


def of_run(
    run: Run,
    *data: Data,
    size: int | None = None,
    seed: int = 0,
    bad: BadRows | None = None,
    units: Sequence[str] = (),
) -> Subject:
    """A run, and `size` sequences of its own validation part or of other `data`.

    `units` are patterns that units are sought for: regular expressions over the text that is read,
    `label:NAME`, or position, line-position, bracket-depth.

    UserError: the data of the run has changed or is gone and no other is given; no sequences in
    the data; a task that cannot be looked into.
    """
    trained = run.trained
    task = trained.task
    if task.look is None:
        raise UserError(f"{run.path}: the task {task.name} cannot be looked into")
    bad = bad or BadRows(skip=False)
    if data:
        dataset = task.unseen(handed.items(data), trained.preprocessing, bad)
    else:
        try:
            dataset = prepare.read_again(trained)
        except UserError as error:
            raise UserError(
                f"{error}; name data to look at: elman inspect {run.path} DATA"
            ) from None
    allowance, look = Allowance(), task.look

    def subject(size: int, seed: int) -> Subject:
        seen = look(dataset, trained.options, size, seed)
        if not seen.steps:
            raise UserError(f"{run.path}: no sequence to look at in the data")

        def loss(model: nn.Module) -> Tensor:
            total, _, _ = task.loss(model, seen.batch, None, run.device)
            return total

        what = f"{seen.what}, drawn with seed {seed}"
        return Subject(run.model, loss, what, seen, run, dataset, subject, allowance, tuple(units))

    first = subject(size or FEWEST, seed)
    assert first.look is not None
    if size is not None:
        return first
    steps = max(1, sum(first.look.lengths) // first.look.stride // len(first.look.steps))
    wanted = OF_LONG if steps > LONG else min(MOST, max(FEWEST, STEPS // steps))
    return first if wanted == len(first.look.steps) else subject(wanted, seed)


def of_text(run: Run, text: str, seed: int = 0) -> Subject:
    """A run, and one stretch of a text that is given here, of all of it where it is short.

    UserError: a text that the task cannot read.
    """
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "text.txt"
        written.write_text(text, encoding="utf-8")
        try:
            return of_run(run, str(written), size=1, seed=seed)
        except UserError as error:
            raise UserError(str(error).replace(str(written), "the text")) from None


def of_model(model: nn.Module, loss: Callable[[nn.Module], Tensor], what: str = "") -> Subject:
    """Any PyTorch model, and the summed loss of one batch, `loss(model)`.

    TypeError: not a module.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"a torch.nn.Module is needed, got {type(model).__name__}")
    return Subject(model, loss, what)


def inspect_run(
    run: Run,
    *data: Data,
    seconds: float = SECONDS,
    only: Sequence[str] = (),
    size: int | None = None,
    seed: int = 0,
    bad: BadRows | None = None,
    units: Sequence[str] = (),
) -> Inspection:
    """Look into a run and write inspect.md and its pictures into its folder: see `inspect`."""
    subject = of_run(run, *data, size=size, seed=seed, bad=bad, units=units)
    return inspect(subject, run.path, seconds=seconds, only=only)


def inspect_model(
    model: nn.Module,
    loss: Callable[[nn.Module], Tensor],
    folder: str | Path,
    *,
    what: str = "",
    seconds: float = SECONDS,
    only: Sequence[str] = (),
) -> Inspection:
    """Look into any PyTorch model and write inspect.md and its pictures into `folder`.

    `loss(model)` is the summed loss of one batch, made by calling the model; `what` that batch in
    words: "32 sentences of the test part". The model stays as it is. UserError, TypeError: as in
    `inspect` and `of_model`.
    """
    return inspect(of_model(model, loss, what), Path(folder), seconds=seconds, only=only)
