"""A trial's run: its validations are told to the study; it ends early where others do better."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elman import tasks
from elman.errors import ElmanError, RunError
from elman.run import api
from elman.run.api import Listener, silent
from elman.run.many.sharing import Shared
from elman.run.train import Progress
from elman.tune import budget, trial
from elman.tune.study import SECONDS, TRIALS, Search

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.trial import Trial

PARTS = 10  # of a run, at whose ends it is compared with others
STARTUP = 4  # trials that are never pruned
RANDOM = 8  # trials that are drawn before the sampler learns from them
FAILED = 8  # trials one after another that came to nothing, of which the last one's reason is told


class Ended(Exception):
    """A trial that ends before its time; its text says why."""


def complete(search: Search, shared: Shared, mine: Trial) -> None:
    """Bring a trial to its end. Raises UserError where not even the default fits, or the data
    cannot be read; KeyboardInterrupt, after which anybody may go on with it."""
    began = time.time()
    default = mine.number == 0
    cut = budget.cut(search)
    if began > cut:
        trial.end(mine, None, "its time was over")
        return
    params = settings(search, mine)
    path = search.path / TRIALS / f"{mine.number:04}"
    mine.set_user_attr("run", str(path))
    watch = Watch(mine, search.plan.score, cut, prunes=not default)
    try:
        run(search, shared, params, path, search.asked.parsed({})[1].seed, watch)
    except Ended as why:
        trial.end(mine, None, str(why))
    except ElmanError as error:
        fits = isinstance(error, RunError)
        if default or _failed(search) >= FAILED:
            trial.end(mine, None, str(error), fits=fits)
            raise
        trial.end(mine, None, str(error), fits=fits)
    else:
        mine.set_user_attr(SECONDS, shared.since(began))
        trial.end(mine, watch.best)


def settings(search: Search, mine: Trial) -> dict[str, Any]:
    """The values of a trial, proposed now where it has none. Trial 0 is the default."""
    if mine.number == 0:
        note(search, mine, search.plan.default)
        return dict(search.plan.default)
    mine.study.sampler = sampler(search, mine.number)
    return {axis.name: axis.suggested(mine) for axis in search.plan.axes}


def note(search: Search, mine: Trial, params: Mapping[str, Any]) -> None:
    """Write down values that were not proposed, as far as they lie on the axes."""
    from optuna.samplers import PartialFixedSampler, RandomSampler

    mine.study.sampler = PartialFixedSampler(dict(params), RandomSampler(0))
    for axis in search.plan.axes:
        if axis.holds(params.get(axis.name)):
            axis.suggested(mine)


def run(
    search: Search, shared: Shared, params: Mapping[str, Any], path: Path, seed: int,
    listen: Listener,
) -> api.Run:  # fmt: skip
    """Train with these settings from the beginning, or from where the run was left."""
    asked, plan = search.asked, search.plan
    own, how = asked.parsed(params)
    how = dataclasses.replace(
        how, run=path, seed=seed, threads=plan.threads,
        minutes=plan.minutes if how.epochs is None else None,
    )  # fmt: skip
    data = asked.data or tasks.get(asked.task).built_in
    return api.complete(shared.job(asked.task, data, own, how), listen, silent)


def sampler(search: Search, number: int) -> Any:
    """The study's sampler for one trial: whoever goes on with it draws the same."""
    from optuna.samplers import RandomSampler, TPESampler

    seed = (1000 * search.asked.parsed({})[1].seed + number) % 2**32
    if search.asked.sampler == "random":
        return RandomSampler(seed)
    return TPESampler(seed=seed, n_startup_trials=RANDOM)


def pruner(name: str) -> BasePruner:
    """The study's pruner. Its steps are tenths of a run, the last of which never ends one."""
    from optuna.pruners import MedianPruner, NopPruner, SuccessiveHalvingPruner

    if name == "halving":
        return SuccessiveHalvingPruner(min_resource=2, reduction_factor=2)
    if name == "median":
        return MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=2)
    return NopPruner()


class Watch:
    """Listens to a run: the best validation so far stands for each part of it that is over."""

    def __init__(self, mine: Trial, score: str, cut: float, *, prunes: bool) -> None:
        self._trial, self._score, self._cut, self._prunes = mine, score, cut, prunes
        told = mine.study.get_trials(deepcopy=False)[mine.number].intermediate_values
        self._told = max(told, default=0)
        self.best = told.get(self._told)

    def __call__(self, event: Progress) -> None:
        if time.time() > self._cut:
            raise Ended("its time was over")
        if event.split != "validation":
            return
        value = event.scores.get(self._score, event.loss)
        if self.best is None or event.best:
            self.best = value
        over = min(PARTS, int(PARTS * event.share + 1e-9))
        for part in range(self._told + 1, over + 1):
            self._trial.report(self.best, part)
        self._told = max(self._told, over)
        if self._prunes and 0 < over < PARTS and self._trial.should_prune():
            raise Ended(f"pruned at {over * 100 // PARTS} %")


def _failed(search: Search) -> int:
    """How many of the last trials came to nothing, without one that did not."""
    count = 0
    for frozen in reversed(search.study.get_trials(deepcopy=False)):
        if frozen.state.is_finished():
            if frozen.intermediate_values or frozen.values:
                break
            count += 1
    return count
