"""The best settings and the default once more, on seeds that no trial has seen.

The best of many trials is flattered by its choice: part of what it is ahead by is the luck of its
seed. Its gain is therefore told from other seeds alone, beside the default on the same ones.

These runs are the trials of a second study. What trial k is follows from k: all candidates of a
seed before the next seed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from elman.errors import RunError
from elman.run.api import silent
from elman.run.folder import RunFolder
from elman.run.many.sharing import Shared
from elman.tune import budget, trial
from elman.tune.study import ROUND, SECONDS, Search
from elman.tune.training import note, run

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

CHOSEN = "candidates"  # attribute of the second study: the trials whose settings run again


@dataclass(frozen=True)
class Again:
    """One of the runs: the settings of which trial, with which seed."""

    candidate: int
    seed: int


def chosen(search: Search) -> list[int]:
    """The default and the two best trials beside it, by their values."""
    from optuna.trial import TrialState

    ended = search.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    sign = -1 if search.higher else 1
    ranked = sorted(ended, key=lambda t: (sign * (t.value or 0.0), t.number))
    others = [t.number for t in ranked if t.number != 0]
    return [0, *others[: budget.CANDIDATES - 1]]


def begun(search: Search) -> Study:
    """The second study, with its candidates: whoever is first after the last trial writes them, and
    others would write the same."""
    study = search.again()
    if CHOSEN not in study.user_attrs:
        study.set_user_attr(CHOSEN, chosen(search))
    return study


def planned(search: Search, study: Study) -> list[Again]:
    """All of the runs, in their order."""
    first = search.asked.parsed({})[1].seed + 1
    return [
        Again(candidate, seed)
        for seed in range(first, first + search.asked.seeds)
        for candidate in study.user_attrs[CHOSEN]
    ]


def may_begin(search: Search, study: Study) -> bool:
    """Whether a run is left, and time for it."""
    count = len(study.get_trials(deepcopy=False))
    return count < len(planned(search, study)) and budget.may_run_again(search)


def has_begun(search: Search) -> bool:
    """Whether the trials are over, as the best have been chosen from them."""
    return CHOSEN in search.again().user_attrs


def once_more(search: Search) -> None:
    """Let further trials begin, and another choice follow them."""
    search.study.set_user_attr(ROUND, int(search.study.user_attrs.get(ROUND, 1)) + 1)


def over(search: Search) -> bool:
    """Whether all of the runs have ended."""
    study = search.again()
    if not has_begun(search):
        return False
    ended = [t for t in study.get_trials(deepcopy=False) if t.state.is_finished()]
    return len(ended) >= len(planned(search, study))


def complete(search: Search, shared: Shared, mine: Trial) -> None:
    """Bring one of the runs to its end. Raises what `training.complete` raises."""
    runs = planned(search, mine.study)
    if mine.number >= len(runs):  # two processes began the last one at the same moment
        trial.end(mine, None, "one too many", fits=False)
        return
    this = runs[mine.number]
    params = params_of(search, this.candidate)
    path = search.again_folder / f"{mine.number:04}"
    mine.set_user_attr("run", str(path))
    note(search, mine, params)
    began = time.time()
    try:
        run(search, shared, params, path, this.seed, silent)
        mine.set_user_attr(SECONDS, shared.since(began))
        record = RunFolder(path).scores()
        for name in ("scores", "rivals"):
            mine.set_user_attr(name, record.get(name))
        scores = record["scores"]
        trial.end(mine, scores.get(search.plan.score, next(iter(scores.values()))))
    except RunError as error:
        trial.end(mine, None, str(error))


def params_of(search: Search, candidate: int) -> Mapping[str, Any]:
    """The settings of a trial."""
    return search.plan.default if candidate == 0 else trial_of(search, candidate).params


def value_of(search: Search, candidate: int) -> float | None:
    """What a trial came to; None where even the default had no time."""
    if not search.study.get_trials(deepcopy=False):
        return None
    return trial_of(search, candidate).value


def trial_of(search: Search, number: int) -> FrozenTrial:
    return search.study.get_trials(deepcopy=False)[number]
