"""What every process that works on a search does: trials while there is time, then the best again.

All do the same, and none leads: any of them may be killed, and any may come later.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

from elman import tasks
from elman.run.many.processes import LOOK
from elman.run.many.sharing import Shared
from elman.tune import again, budget, study, training, trial
from elman.tune.study import Search

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial

STRANGERS = 60.0  # seconds after the end in which a trial in another folder has to end itself


def complete(search: Search, most: int | None, after: Callable[[], None]) -> None:
    """Work until nothing is left to do, or no time; at most so many trials are begun. `after` is
    called after each.

    Raises UserError where the default setting does not fit, or the data is not that of the study;
    RunError where the study can no longer be reached.
    """
    shared = search.shared
    with study.unreachable(search), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="optuna")
        _check_data(search, shared)
        search.study.pruner = training.pruner(search.asked.pruner)
        _each(
            search, search.study,
            lambda: not again.has_begun(search) and budget.may_begin(search, most),
            lambda mine: training.complete(search, shared, mine), budget.search_ends(search),
            after,
        )  # fmt: skip
        runs = again.begun(search)
        _each(
            search, runs, lambda: again.may_begin(search, runs),
            lambda mine: again.complete(search, shared, mine), search.deadline,
            after,
        )  # fmt: skip


def _each(
    search: Search, of: Study, may_begin: Callable[[], bool], complete: Callable[[Trial], None],
    ends: float, after: Callable[[], None],
) -> None:  # fmt: skip
    """Go on with trials that were left behind, then begin others; until all have ended that anybody
    works on."""
    while True:
        with trial.left_behind(search, of) as left:
            if left is not None:
                complete(left)
                after()
                continue
        if may_begin():
            with trial.new(search, of) as mine:
                complete(mine)
            after()
            continue
        if time.time() > ends + STRANGERS:
            trial.end_strangers(search, of)
        if not trial.running(of):
            return
        time.sleep(LOOK)


def _check_data(search: Search, shared: Shared) -> None:
    """UserError: the data is not that with which the study began."""
    asked = search.asked
    task = tasks.get(asked.task)
    own, how = asked.parsed({})
    dataset = shared.read(asked.task, asked.data or task.built_in, own, how.validation)
    headline = task.examine(dataset).headline
    study.check_data(search, headline, study.fingerprint(dataset.preprocessing(), headline))
