"""How minutes are reckoned: by a clock that moves as runs are said to take."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from elman.errors import UserError
from elman.run.many.sharing import Shared
from elman.tune import budget, planning
from elman.tune.options import TuneOptions, asked
from elman.tune.study import SECONDS, Search


@dataclass
class Trials:
    """What is asked of a study of Optuna's."""

    all: list[Any] = field(default_factory=list)

    def get_trials(self, *, deepcopy: bool, states: tuple[TrialState, ...] | None = None
                   ) -> list[Any]:  # fmt: skip
        return [one for one in self.all if states is None or one.state in states]

    def ended(self, seconds: float) -> None:
        number, state = len(self.all), TrialState.COMPLETE
        self.all.append(SimpleNamespace(number=number, state=state, user_attrs={SECONDS: seconds}))


@given(
    st.floats(2.1, 40.0), st.integers(1, 4), st.floats(0.0, 9.0), st.floats(0.6, 1.4),
    st.floats(0.0, 1.0), st.floats(1.0, 3.0),
)  # fmt: skip
def test_trials_fill_the_minutes_that_fresh_seeds_leave(
    minutes: float, seeds: int, once: float, slower: float, between: float, busier: float
) -> None:
    """One process: what it reads `once`, runs that take more or less than was planned, on a machine
    that is `busier` in the end."""
    how, now = TuneOptions(minutes=minutes, seeds=seeds), once
    planned = budget.trial_minutes(how, 1, how.seconds - once)
    study, fresh = Trials(), Trials()
    search = cast(Search, SimpleNamespace(
        study=study, again=lambda: fresh, deadline=how.seconds,
        plan=SimpleNamespace(minutes=planned, jobs=1), asked=SimpleNamespace(seeds=seeds),
    ))  # fmt: skip
    each = 60 * planned * slower
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.time", lambda: now)
        while budget.may_begin(search, None):
            now += each + between
            study.ended(each)
        candidates = min(budget.CANDIDATES, len(study.all))
        left = how.seconds - now
        while len(fresh.all) < seeds * candidates and budget.may_run_again(search):
            now += each * busier + between
            fresh.ended(each * busier)
    reckoned = max(each, 60 * planned) + budget.AROUND
    more = seeds * min(budget.CANDIDATES, len(study.all) + 1)
    assert left < (1 + more) * reckoned  # another trial would not have fitted
    slowest = max(each * busier + budget.AROUND, reckoned)
    unforeseen = slowest - reckoned if len(fresh.all) == 1 else 0.0
    assert now <= how.seconds + budget.LATE * slowest + unforeseen
    if slower * busier <= 1:
        assert len(fresh.all) == seeds * candidates and len(study.all) >= budget.FEWEST
    assert fresh.all  # whatever happens, the default


class Planned(Exception):
    """The data was read, and there is time for runs."""


def test_what_reading_takes_is_no_time_for_runs(
    text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    print("drawn by", seed := random.randrange(2**32))
    draw, read, now, reading = random.Random(seed), Shared.read, 0.0, 0.0

    def slowly(shared: Shared, *how: Any) -> Any:
        nonlocal now
        now += reading
        return read(shared, *how)

    def planned(*arguments: Any) -> Any:
        raise Planned

    monkeypatch.setattr(Shared, "read", slowly)
    monkeypatch.setattr(planning, "_planned", planned)
    monkeypatch.setattr("time.time", lambda: now)
    seen = set()
    for k, jobs in enumerate((1, 2, 3) * 6):
        seeds, reading, now = draw.randint(1, 3), draw.uniform(0, 60), 0.0
        rounds = ceil(seeds * budget.CANDIDATES / jobs) + ceil(budget.FEWEST / jobs)
        least = rounds * (budget.SHORTEST + budget.AROUND) + reading * (1 if jobs == 1 else 2)
        off = draw.uniform(0.1, 30)
        seconds = least + (off if k % 2 else -off)
        how = TuneOptions(minutes=max(seconds, 6) / 60, seeds=seeds, jobs=jobs)
        fits = how.seconds > least
        with pytest.raises(Planned if fits else UserError):
            planning.plan(
                asked("text", (str(text),), {"threads": 1}, how), how, how.seconds, Shared()
            )
        seen.add((jobs > 1, fits))
    assert len(seen) == 4
