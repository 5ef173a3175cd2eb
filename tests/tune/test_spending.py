"""How a search spends its time: bad trials end early, minutes are kept, runs go side by side."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

import pytest
from optuna.trial import TrialState, create_trial
from searches import search, trials_of

from elman.tune import again, budget, training
from elman.tune.result import Result, notes, table


def again_of(result: Result) -> list[Any]:
    return result.search.again().get_trials(deepcopy=False)


def worse_part(one: Any, before: list[Any]) -> int | None:
    """The first part of a trial, of those that count, in which it was worse than the median of the
    trials that had come to their end before it."""
    if len(before) < training.STARTUP:
        return None
    for part, value in sorted(one.intermediate_values.items()):
        others = [t.intermediate_values[part] for t in before]
        if 2 <= part < training.PARTS and value > median(others):
            return int(part)
    return None


def test_a_trial_worse_than_most_is_ended_then_and_there_and_never_chosen(text: Path) -> None:
    """Learning rates of eight decades: most of them are of no use."""
    result = search(
        text, search="learning_rate=1e-9..0.1:log,hidden_size=8..12", trials=9, seeds=1, epochs=5,
        pruner="median",
    )  # fmt: skip
    whole: list[Any] = []
    for one in trials_of(result):
        part = worse_part(one, whole)
        if part is None:
            assert one.state.name == "COMPLETE"
            assert max(one.intermediate_values) == training.PARTS
            whole.append(one)
        else:
            assert one.state.name == "PRUNED"
            assert max(one.intermediate_values) == part
            assert one.user_attrs["why"] == f"pruned at {10 * part} %"
    assert training.STARTUP < len(whole) < len(trials_of(result))  # both were seen
    best = sorted((t for t in whole if t.number), key=lambda t: t.value)[:2]
    chosen = [0, *(t.number for t in best)]
    assert [row.trial for row in result.rows] == chosen
    last = create_trial(state=TrialState.PRUNED, value=0.0, intermediate_values={2: 0.0})
    result.search.study.add_trial(last)  # however good its last value was
    assert again.chosen(result.search) == chosen


def most_at_once(runs: list[Any]) -> int:
    ran = [(one.datetime_start, one.datetime_complete) for one in runs]
    counts: list[int] = [sum(begin <= at < end for begin, end in ran) for at, _ in ran]
    return max(counts, default=0)


def test_no_trial_begins_that_could_not_end_in_time_and_fresh_seeds_have_theirs(
    text: Path,
) -> None:
    minutes = 0.2
    result = search(text, trials=None, seeds=1, minutes=minutes)
    trials, runs = trials_of(result), again_of(result)
    deadline = result.search.deadline
    longest = 0.0
    for one in trials:
        each = longest + budget.AROUND
        left = deadline - one.datetime_start.timestamp()
        again = min(budget.CANDIDATES, 1 + max(1, one.number))  # settings, this one among them
        assert left >= each + again * each - 2  # seconds to write it down
        longest = max(longest, one.user_attrs.get("seconds", 0.0))
    assert result.ended == len(runs) == min(budget.CANDIDATES, len(trials))
    began = min(one.datetime_start for one in trials).timestamp()
    assert deadline <= began + 60 * minutes
    last = max(one.datetime_complete for one in runs).timestamp()
    assert last <= deadline + longest  # a machine that is stopped is late, by no more than a run
    assert most_at_once(trials + runs) == 1


def test_a_search_without_time_for_a_trial_says_so_and_goes_on_with_more_minutes(
    text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(budget, "may_begin", lambda *of: False)  # as after reading for too long
        patch.setattr(budget, "may_run_again", lambda search: False)
        result = search(text, trials=1, seeds=1)
    assert result.winner is None and result.trials == {}
    assert result.command() == result.run == ""
    assert len(table(result)[1]) == 1
    assert notes(result)[0] == "No run on fresh seeds has ended; nothing is told."
    assert str(result.search.path) in notes(result)[-1]
    longer = search(text, trials=1, seeds=1, minutes=700)
    assert longer.trials == {"complete": 1} and longer.ended == 1
    assert notes(longer)[0].startswith("No other setting than the default came to its end")


def test_so_many_runs_as_jobs_go_side_by_side(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undrawn = "import sys; sys.modules['matplotlib'] = None"  # in workers too: it takes long
    (tmp_path / "first").mkdir()
    (tmp_path / "first/sitecustomize.py").write_text(undrawn)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "first"))
    result = search(text, jobs=2, trials=3, seeds=1, epochs=4)
    assert result.trials == {"complete": 3} and result.ended == budget.CANDIDATES
    assert most_at_once(trials_of(result) + again_of(result)) == 2
