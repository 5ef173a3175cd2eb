"""Which way to forecast, and how much of it is the network's: by back-tests in the training part.

The ways are tried on the end of the training part, which they do not learn from: all are trained
briefly, the better half goes on, and so on (successive halving, Jamieson and Talwalkar 2016,
arXiv:1502.07943).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from elman.tasks.forecast.data import Panel
from elman.tasks.forecast.options import Beside
from elman.tasks.forecast.simple import naive
from elman.tasks.forecast.trials.trial import FEW, Allowance, Trial, Way, trial_of
from elman.wording import counted

WANTED = 160  # updates for each way, of all rounds together; with fewer it says nothing


@dataclass(frozen=True)
class Chosen:
    """The way that was nearest in the back-tests, and the network's share beside a simple one."""

    way: Way
    share: float
    beside: Beside
    tried: int  # ways; 0 where none was, as nothing was left open or the series are too `short`
    error: float = math.nan  # of the mixture, and of the simple forecast alone
    other: float = math.nan
    short: bool = False


def choose(
    panel: Panel, ways: Sequence[Way], share: float | None, beside: Beside, allowed: Allowance,
    device: str,
) -> Chosen:  # fmt: skip
    """The best of these ways, the likeliest of which stand first, and the network's share, unless
    it is given."""
    if share is not None and len(ways) == 1:
        return Chosen(ways[0], share, beside, 0)
    began = time.perf_counter()
    trials = _trials(panel, ways, allowed, device)
    if not trials:
        return Chosen(ways[0], 0.0 if share is None else share, beside, 0, short=True)
    tried = len(trials)
    rounds = max(1, math.ceil(math.log2(len(trials))) + 1)
    if allowed.seconds is not None:
        allowed = Allowance(max(1.0, allowed.seconds - (time.perf_counter() - began)), None)
    while True:
        for trial in trials:
            # The last round is one network's alone, and its rate falls from the top once more.
            trial.train(allowed.part(1 / (rounds * len(trials))), device)
            trial.judge(beside, share, device)
        trials.sort(key=lambda trial: trial.rank)
        if len(trials) == 1:
            break
        trials = trials[: (len(trials) + 1) // 2]
    (best,) = trials
    if share is None and best.share == 0 and allowed.seconds and len(panel.train) > FEW:
        # Of much data a network learns slowly; what it knows so far is not all.
        best.train(allowed, device)
        best.judge(beside, share, device)
    return Chosen(best.way, best.share, beside, tried, best.error, best.other)


def _trials(
    panel: Panel, ways: Sequence[Way], allowed: Allowance, device: str
) -> list[Trial]:  # fmt: skip
    """A trial of each way that the training part is long enough for, of as many as there is time
    for: reading the data again may take a third of it, and each way wants some updates."""
    began = time.perf_counter()
    found: list[Trial] = []
    most = len(ways)
    if allowed.steps is not None:
        most = max(1, allowed.steps // WANTED)
    for number, way in enumerate(ways):
        trial = trial_of(panel, way, number, device)
        if not trial.folds:
            continue
        found.append(trial)
        if allowed.seconds is not None and len(found) == 1:
            each = trial.pace(device)
            left = allowed.seconds - (time.perf_counter() - began)
            most = max(1, min(len(ways), int(left / (WANTED * each))))
        late = allowed.seconds is not None and (time.perf_counter() - began > allowed.seconds / 3)
        if late or len(found) >= most:
            break
    return found


def told(chosen: Chosen, panel: Panel) -> str:
    """What the back-tests said, for the user."""
    simple = naive.told(chosen.beside, panel)
    if not chosen.tried:
        why = "too few values for back-tests, so that " if chosen.short else ""
        return why + _shared(chosen, simple)
    ways = "the best of " + counted(chosen.tried, "way") + " tried" if chosen.tried > 1 else "tried"
    errors = f"{chosen.error:.3g} against {chosen.other:.3g} of {simple}"
    return f"{ways} on the end of the training part ({errors}, scaled); {_shared(chosen, simple)}"


def _shared(chosen: Chosen, simple: str) -> str:
    if chosen.share == 0.0:
        why = ": the network was no nearer than chance could be" if chosen.tried else ""
        return f"the forecast is that of {simple}{why}"
    if chosen.share == 1.0:
        return "the forecast is the network's alone"
    return f"the forecast is {chosen.share:.0%} the network's, the rest {simple}"
