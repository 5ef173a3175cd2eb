"""The Python face of searches: `tune`, `go_on`."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from elman.errors import UserError
from elman.options import given, make
from elman.run import folder
from elman.run.api import silent
from elman.run.many import processes
from elman.run.many.sharing import Shared
from elman.tasks import naming
from elman.tune import again, budget, page, planning, report, storage, study, trial, work
from elman.tune.options import Asked, TuneOptions, asked
from elman.tune.result import Result, gathered, settings, told
from elman.tune.study import Search
from elman.tune.worker import STORAGE
from elman.wording import counted, readable

Say = Callable[[str], None]


def tune(task: str, *data: str, say: Say = silent, pictures: bool = False, **options: Any
         ) -> Result:  # fmt: skip
    """Search for good settings: `tune("text", "hamlet.txt", minutes=30, search="dropout=0..0.6")`.

    `options` are those of the command line, with underscores. Raises UserError for wrong input,
    among it a folder `run` that holds another search; one that holds this one is joined, or gone on
    with.
    """
    began = time.time()
    names = TuneOptions.__dataclass_fields__.keys()
    how = make(TuneOptions, {n: v for n, v in options.items() if n in names and v is not None})
    own = {n: v for n, v in options.items() if n not in names}
    storage.check(how.storage)
    now = asked(task, lasting(data), own, how)
    return complete(begin(now, how, began, say), how, say, pictures=pictures)


def lasting(data: Sequence[str]) -> tuple[str, ...]:
    """The same data, wherever a search is gone on with from."""
    return tuple(naming.stored(data)[0])


def free_folder(now: Asked) -> Path:
    """The first of studies/STEM, studies/STEM-2, … that is not taken."""
    stem = naming.stem(now.data, now.task) if now.data else now.task
    return folder.free_name(re.sub(r"\s+", "-", stem), Path("studies"))


def begin(now: Asked, how: TuneOptions, began: float, say: Say) -> Search:
    """The search in the folder `how.run`: new, its minutes since `began`, or the one that is there.

    UserError: it is another, or its storage cannot be reached.
    """
    path = (how.run or free_folder(now)).absolute()
    url = None if how.storage is None else storage.lasting(how.storage)
    if url is not None:
        storage.reach(path, url)
    study.check_free(path)
    with study.beginning(path):
        if study.there(path):
            search = study.read(path, url)
            study.check_same(search, now)
            return take_up(search, how.minutes, say)
        ends = began + how.seconds
        shared = Shared()
        plan, lines = planning.plan(now, how, ends, shared)
        search = study.create(path, url, now, plan, how.seconds / 60, ends)
        if plan.jobs == 1:  # what was read is used by this process itself
            search = replace(search, shared=shared)
    study.check_same(search, now)
    for line in lines:
        say(line)
    for axis in search.plan.axes:
        default = search.plan.default.get(axis.name)
        planned = "" if default is None else f", default {told(default)}"
        say(f"searched: {axis.text()}{planned}")
    each = search.plan.minutes
    long = "" if each is None else f" of {each:g} minutes each"
    say(f"runs{long}, {search.plan.jobs} side by side; study folder {path}")
    return search


def go_on(path: Path, minutes: float | None, url: str | None, say: Say) -> Search:
    """The search in a folder, joined or gone on with. UserError: there is none."""
    if not study.there(path):
        raise UserError(f"{path}: no study there")
    path = path.absolute()
    search = study.read(path, None if url is None else storage.lasting(url))
    return take_up(search, minutes, say)


def take_up(search: Search, minutes: float | None, say: Say) -> Search:
    """Set what time is left, and tell how far the search has come."""
    with study.unreachable(search):
        ended = sum(t.state.is_finished() for t in search.study.get_trials(deepcopy=False))
        busy = any(trial.at_work(search, of) for of in (search.study, search.again()))
        longer = minutes is not None and minutes > search.study.user_attrs[study.MINUTES]
        if not busy and longer and again.has_begun(search):
            again.once_more(search)
        if not busy and not again.over(search):
            study.prolong(search, minutes, budget.last_seconds(search))
    say(f"{search.path}: {counted(ended, 'trial')} ended; {'joining' if busy else 'going on'}")
    return search


def complete(
    search: Search, how: TuneOptions, say: Say, *, pictures: bool = False
) -> Result:  # fmt: skip
    """Work on a search until its end, and write what it came to."""
    if pictures:
        report.check()
    teller = Teller(search, say)
    jobs = given(how.jobs, search.plan.jobs)
    with study.unreachable(search):
        if not again.over(search):
            try:
                if jobs == 1:
                    work.complete(search, how.trials, teller)
                else:
                    _side_by_side(search, jobs, how.trials, teller)
            except KeyboardInterrupt:
                study.keep_left(search)
                raise
            finally:
                teller()
        result = gathered(search)
        page.write(result, report.write(search) if pictures else [])
    return result


def _side_by_side(search: Search, jobs: int, most: int | None, teller: Teller) -> None:
    if search.url is not None:
        os.environ[STORAGE] = search.url  # not an argument, which everybody can read
    log = search.path / f"workers-{os.getpid()}.log"
    with processes.working(
        "elman.tune.worker", [str(search.path), str(most or 0)], jobs, search.plan.threads, log,
        replaceable=True,
    ) as at_work:  # fmt: skip
        while at_work():
            teller()
            time.sleep(processes.LOOK)


class Teller:
    """Tells how trials ended, each once."""

    def __init__(self, search: Search, say: Say) -> None:
        self._search, self._say = search, say
        self._told = {(name, t.number) for name, t in self._ended()}

    def __call__(self) -> None:
        for name, ended in self._ended():
            if (name, ended.number) not in self._told:
                self._told.add((name, ended.number))
                self._say(self._line(name, ended))

    def _ended(self) -> list[tuple[str, Any]]:
        both = (("trial", self._search.study), ("again", self._search.again()))
        return [
            (name, one)
            for name, of in both
            for one in of.get_trials(deepcopy=False)
            if one.state.is_finished()
        ]

    def _line(self, name: str, ended: Any) -> str:
        score = self._search.plan.score.replace("_", " ")
        how = ended.user_attrs.get(trial.WHY, "")
        if ended.value is not None and not how:
            how = f"{score} {readable(ended.value)}"
        what = f"{name} {ended.number}"
        if name == "trial" and ended.number == 0:
            what += ", default"
        return f"{what}: {how}; {settings(ended.params)}"
