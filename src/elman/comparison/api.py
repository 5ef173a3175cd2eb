"""The Python face of comparisons: `compare`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from elman.comparison import page, place, planning, work
from elman.comparison.options import Asked, CompareOptions, Question, asked
from elman.comparison.place import Comparison
from elman.comparison.result import Result, gathered
from elman.options import given, make
from elman.run import folder
from elman.run.api import silent
from elman.run.many import processes
from elman.tasks import naming
from elman.wording import counted

Say = Callable[[str], None]


def compare(
    task: str,
    *data: str,
    cells: Sequence[str] = (),
    over: tuple[str, Sequence[str]] | None = None,
    seeds: int = 3,
    equal: str = "weights",
    run: str | Path | None = None,
    jobs: int | None = None,
    say: Say = silent,
    **options: Any,
) -> Result:
    """A fair race: `elman.compare("text", "hamlet.txt", cells=["lstm", "gru"], epochs=5)`.

    `over` names another option and its values, `("context", ["first", "attention"])`. The others
    are those of the command line, with underscores. Raises UserError for wrong input, among it a
    folder `run` that holds another comparison; one that holds this one is gone on with.
    """
    how = make(
        CompareOptions,
        {"seeds": seeds, "equal": equal, "cells": tuple(cells)}
        | ({"over": f"{over[0]}={','.join(map(str, over[1]))}"} if over else {})
        | ({} if run is None else {"run": Path(run)})
        | ({} if jobs is None else {"jobs": jobs}),
    )
    return race(asked(task, lasting(data), options, how), how, say)


def lasting(data: Sequence[str]) -> tuple[str, ...]:
    """The same data, wherever a comparison is gone on with from."""
    return tuple(naming.stored(data)[0])


def race(now: Asked, how: CompareOptions, say: Say, command: str = "") -> Result:
    """Plan what is not planned yet, bring every run to its end, and write what it came to."""
    path = how.run or free_folder(now)
    comparison = opened(path, now, how, say)
    threads = int(comparison.variants[0].training["threads"])
    jobs = how.jobs or max(1, processes.cores() // threads)
    left = sum(not run.done() for run in comparison.runs(how.seeds))
    try:
        if left and min(jobs, left) == 1:
            work.complete(comparison, how.seeds, say)
        elif left:
            work.complete_side_by_side(comparison, how.seeds, jobs, threads, say)
    finally:
        result = gathered(comparison, how.seeds)
        if result.ended:
            page.write(result, command)
    return result


def opened(path: Path, now: Asked, how: CompareOptions, say: Say) -> Comparison:
    """The comparison in a folder, planned now where there is none. UserError: another one."""
    if place.there(path):
        comparison = place.read(path)
        place.check_same(comparison, now)
        done = sum(run.done() for run in comparison.runs(how.seeds))
        say(f"{path}: {done} of {len(comparison.runs(how.seeds))} runs have ended; going on")
        return comparison
    place.check_free(path)
    runs = len(now.question.values) * how.seeds
    variants, lines = planning.variants(now, _threads(now, how, runs))
    for line in lines:
        say(line)
    comparison = place.create(path, now, variants)
    for variant in variants:
        rate = variant.training["learning_rate"]
        say(f"{variant.name}: {variant.units} units, {variant.weights:,} weights, rate {rate:.3g}")
    each = now.parsed(now.question.values[0])[1].minutes
    long = "" if each is None else f" of {each:g} minutes each"
    say(f"{counted(runs, 'run')}{long}; comparison folder {path}")
    return comparison


def _threads(now: Asked, how: CompareOptions, runs: int) -> int:
    """Threads of a run: so that as many runs as are side by side do not fight for cores."""
    asked_for = now.parsed(now.question.values[0])[1].threads
    side_by_side = min(runs, how.jobs or processes.cores())
    return given(asked_for, max(1, processes.cores() // side_by_side))


def free_folder(now: Asked) -> Path:
    """The first of comparisons/STEM, comparisons/STEM-2, … that is not taken."""
    stem = naming.stem(now.data, now.task) if now.data else now.task
    return folder.free_name(re.sub(r"\s+", "-", stem), Path("comparisons"))


__all__ = ["Question", "Result", "compare", "race"]
