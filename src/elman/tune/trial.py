"""A trial that is ours: claimed by a lock in the folder, which ends with the process that holds it.

A trial that runs, and whose lock is free, is one whose worker was killed. Whoever sees its folder
takes it over; a heartbeat, by which others would judge from afar that a worker has died, would end
trials of workers that were only stopped for a while (optuna#4234).
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

from elman.run.many.claims import claimed
from elman.tune.study import Search

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

# Attributes of a trial: which folder it is in, which lock is its own, why it came to no value.
FOLDER, CLAIM, WHY = "folder", "claim", "why"


def running(study: Study) -> list[FrozenTrial]:
    """The trials that have not ended, whoever works on them, or did."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def at_work(search: Search, study: Study) -> bool:
    """Whether anybody works on a trial: it is locked, or in a folder that we do not see."""
    for frozen in running(study):
        if frozen.user_attrs.get(FOLDER) != search.token:
            return True
        with claimed(search.lock(frozen.user_attrs[CLAIM])) as free:
            if not free:
                return True
    return False


@contextlib.contextmanager
def left_behind(search: Search, study: Study) -> Iterator[Trial | None]:
    """A trial whose worker has ended before it, ours for the time of the block; None without."""
    for frozen in running(study):
        if frozen.user_attrs.get(FOLDER) != search.token:
            continue
        with claimed(search.lock(frozen.user_attrs[CLAIM])) as mine:
            # It may have ended between the two looks.
            if mine and any(trial.number == frozen.number for trial in running(study)):
                yield _trial(study, frozen)
                return
    yield None


@contextlib.contextmanager
def new(search: Search, study: Study) -> Iterator[Trial]:
    """A new trial, ours for the time of the block: locked before anybody can see it."""
    from optuna.trial import TrialState, create_trial

    claim = uuid.uuid4().hex
    with claimed(search.lock(claim)):
        names = {FOLDER: search.token, CLAIM: claim}
        study.add_trial(create_trial(state=TrialState.RUNNING, user_attrs=names))
        yield _trial(study, next(t for t in running(study) if t.user_attrs.get(CLAIM) == claim))


def _trial(study: Study, frozen: FrozenTrial) -> Trial:
    from optuna.trial import Trial

    return Trial(study, frozen._trial_id)


def end(trial: Trial, value: float | None, why: str = "", *, fits: bool = True) -> None:
    """Tell how a trial ended: with a value; or without one, and why, which tells the sampler that
    such settings are bad; or, where they do not fit at all, nothing."""
    from optuna.trial import TrialState

    if why:
        trial.set_user_attr(WHY, why)
    state = TrialState.PRUNED if fits else TrialState.FAIL
    if value is None:
        trial.study.tell(trial, state=state, skip_if_finished=True)
    else:
        trial.study.tell(trial, value, skip_if_finished=True)


def end_strangers(search: Search, study: Study) -> None:
    """End the trials of other folders: their time is over, and so their workers have died."""
    from optuna.trial import TrialState

    for frozen in running(study):
        if frozen.user_attrs.get(FOLDER) != search.token:
            study.tell(frozen.number, state=TrialState.FAIL, skip_if_finished=True)
