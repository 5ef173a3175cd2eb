"""The runs of a comparison, one after another: each is claimed, trained or gone on with, scored.

Several processes may work on one comparison; what is done already is passed over.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from elman import tasks
from elman.comparison.place import Comparison, Planned, options_of
from elman.errors import RunError
from elman.run import api, files
from elman.run.many import processes
from elman.run.many.claims import claimed
from elman.run.many.sharing import Shared

Say = Callable[[str], None]


def complete(comparison: Comparison, seeds: int, say: Say) -> None:
    """Bring every run to its end that nobody else is at work on; `say` is told how each ended.

    Raises UserError where a run cannot be made at all, KeyboardInterrupt on Ctrl-C; a run that
    fails, as its loss is no longer finite, is noted and passed over.
    """
    shared = Shared()
    for run in comparison.runs(seeds):
        if run.done():
            continue
        with claimed(run.lock) as mine:
            if mine and not run.done():
                _complete(comparison, run, shared)
                say(told(run))


def complete_side_by_side(
    comparison: Comparison, seeds: int, jobs: int, threads: int, say: Say
) -> None:
    """The same by so many processes. Raises what it raises; none outlives the call."""
    waiting = [run for run in comparison.runs(seeds) if not run.done()]
    module, arguments = "elman.comparison.worker", [str(comparison.path), str(seeds)]
    log = comparison.path / "workers.log"
    with processes.working(module, arguments, min(jobs, len(waiting)), threads, log) as at_work:
        while waiting:
            going_on = at_work()
            for run in [run for run in waiting if run.done()]:
                waiting.remove(run)
                say(told(run))
            if not going_on:
                return
            time.sleep(processes.LOOK)


def told(run: Planned) -> str:
    """How a run ended, in a line."""
    if run.failure.exists():
        return f"{run.name}: failed: {run.failure.read_text(encoding='utf-8').strip()}"
    record = run.scores()
    name, value = next(iter(record["scores"].items()))
    return f"{run.name}: {name.replace('_', ' ')} {value:.4f}, {record['seconds']:.0f} s"


def _complete(comparison: Comparison, run: Planned, shared: Shared) -> None:
    try:
        if run.path.exists():
            run.scores()  # UserError: of another comparison
        task = tasks.get(comparison.asked.task)
        own, how = options_of(task.name, run)
        job = shared.job(task.name, comparison.asked.data or task.built_in, own, how)
        api.complete(job, api.silent, api.silent)
    except RunError as error:
        if not run.path.exists():
            raise
        files.replace(run.failure, f"{error}\n")
