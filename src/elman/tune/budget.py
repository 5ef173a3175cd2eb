"""How the minutes are spent: trials first, then the best two and the default on fresh seeds."""

from __future__ import annotations

import math
import time

from elman.errors import UserError
from elman.tune.options import TuneOptions
from elman.tune.study import SECONDS, Search

CANDIDATES = 3  # that run again: the best two, and the default
FULL = 20  # as many trials could run to their end; pruned ones make room for more
FEWEST = 3  # trials that have to fit
SHORTEST = 6.0  # seconds of a run
AROUND = 1.5  # seconds of a run beside those of its clock: it is proposed, and told
LATE = 0.1  # share of a run by which it may be later than was reckoned


def trial_minutes(how: TuneOptions, jobs: int, seconds: float) -> float:
    """Minutes of each run where the user named none, for so many seconds that are left. UserError:
    these are too few."""
    rounds = math.ceil(how.seeds * CANDIDATES / jobs)  # of the last comparison

    def each(trials: int) -> float:
        return seconds / (rounds + math.ceil(trials / jobs)) - AROUND

    trials = next((k for k in range(FULL, FEWEST - 1, -1) if each(k) >= SHORTEST), FEWEST)
    if each(trials) < SHORTEST:
        gone = how.seconds - seconds
        needed = (rounds + math.ceil(FEWEST / jobs)) * (SHORTEST + AROUND) + max(0.0, gone)
        raise UserError(
            f"--minutes {how.seconds / 60:g}: too short for trials and {how.seeds} fresh seeds; "
            f"needs {math.ceil(needed / 6) / 10:g} at least, or fewer --seeds"
        )
    return max(0.1, math.floor(each(trials) / 60 * 1000) / 1000)


def run_seconds(search: Search) -> float:
    """How long a run takes, as far as is known: as its minutes say, or as long as the longest that
    has ended, a trial or one on a fresh seed, where that is more or epochs are counted."""
    both = (search.study, search.again())
    trials = [trial for study in both for trial in study.get_trials(deepcopy=False)]
    known: list[float] = [t.user_attrs.get(SECONDS, 0.0) for t in trials]
    return max([60 * (search.plan.minutes or 0.0), *known]) + AROUND


def last_seconds(search: Search, more: int = 0) -> float:
    """How long the runs on fresh seeds take: of the default, and of the best of what has come to
    its end, is at work, or may be so soon, `more` trials."""
    from optuna.trial import TrialState

    hopeful = (TrialState.COMPLETE, TrialState.RUNNING)
    trials = search.study.get_trials(deepcopy=False, states=hopeful)
    others = sum(trial.number != 0 for trial in trials) + more
    runs = search.asked.seeds * (1 + min(CANDIDATES - 1, others))
    return math.ceil(runs / search.plan.jobs) * run_seconds(search)


def search_ends(search: Search, more: int = 0) -> float:
    """When the trials have to have ended, by time.time()."""
    return search.deadline - last_seconds(search, more)


def may_begin(search: Search, most: int | None) -> bool:
    """Whether there is time for a trial, and no `most` are there already."""
    trials = len(search.study.get_trials(deepcopy=False))
    if most is not None and trials >= most:
        return False
    return time.time() + run_seconds(search) <= search_ends(search, more=1)


def cut(search: Search) -> float:
    """When a trial is ended that is still at work."""
    return search_ends(search) + LATE * run_seconds(search)


def may_run_again(search: Search) -> bool:
    """Whether there is time for one of the runs on fresh seeds."""
    each = run_seconds(search)
    return time.time() + each <= search.deadline + LATE * each
