"""What training would read, without training: the task that is likely, and the doctor's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from elman import tasks
from elman.data.doctor import Page
from elman.run.options import check_refit, parse
from elman.tasks.guessing import guess


@dataclass(frozen=True)
class Examination:
    """The task, why it was chosen, and what the doctor says."""

    task: str
    why: str
    page: Page


def examine(
    task: str | None, data: Sequence[str], values: Mapping[str, object] | None = None
) -> Examination:
    """What `elman train TASK DATA...` with these options would read; the built-in set without data.

    Without a task the likely one is taken. UserError for whatever training would refuse.
    """
    found = guess(data) if task is None else None
    name = found.task if found is not None else str(task)
    options, how = parse(name, values or {})
    check_refit(options, how)
    kind = tasks.get(name)
    dataset = kind.read(list(data) or kind.built_in, options, how.validation)
    return Examination(name, found.why if found is not None else "as asked", kind.examine(dataset))
