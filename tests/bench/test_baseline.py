"""`elman bench --baseline`: what is slower beyond the spread of both, and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from calling import call
from hypothesis import given
from hypothesis import strategies as st

from elman.bench import baseline
from elman.bench.compare import Result, Spread
from elman.bench.options import BenchOptions
from elman.bench.report import record
from elman.bench.where import where
from elman.errors import UserError

rates = st.floats(1e9, 1e12)
spreads = st.tuples(st.floats(1e-4, 1.0), st.floats(1.0, 1.5), st.floats(1.0, 1.5)).map(
    lambda drawn: Spread(drawn[0] * drawn[1], drawn[0], drawn[0] * drawn[1] * drawn[2])
)


def result(seconds: Spread, peak: float | None, **others: Spread) -> Result:
    return Result("train", "lstm 7", 1, "%", {}, {"elman": seconds, **others}, peak=peak)


def recorded(*results: Result) -> list[dict[str, Any]]:
    made = record({}, BenchOptions(), {}, results, 1.0, complete=True)
    written: list[dict[str, Any]] = json.loads(json.dumps(made))["results"]
    return written


def times(spread: Spread, factor: float) -> Spread:
    return Spread(*(value * factor for value in spread))


@given(spreads, st.none() | rates, st.floats(0.2, 5))
def test_a_bench_beside_itself_is_as_fast_on_a_slower_day_too(
    seconds: Spread, peak: float | None, day: float
) -> None:
    then = recorded(result(seconds, peak))
    assert baseline.changes(then, [result(seconds, peak)]) == ([], 1)
    if peak is not None:
        today = result(times(seconds, day), peak / day)
        assert baseline.changes(then, [today]) == ([], 1)


@given(spreads, rates, st.floats(1.01, 3))
def test_what_lies_beyond_both_spreads_is_told_in_both_directions(
    seconds: Spread, peak: float, more: float
) -> None:
    factor = max(baseline.LEAST, seconds.high / seconds.low) * more
    quick, slow = result(seconds, peak), result(times(seconds, factor), peak)
    (found,), compared = baseline.changes(recorded(quick), [slow])
    assert found.slower and compared == 1
    assert found.times == pytest.approx(factor)
    assert found.what == "train lstm 7, 1 thread: elman"
    (found,), _ = baseline.changes(recorded(slow), [quick])
    assert not found.slower and found.times == pytest.approx(1 / factor)


def test_rivals_other_rows_and_small_changes_are_no_changes() -> None:
    narrow = Spread(1.0, 0.999, 1.001)
    then = recorded(result(narrow, None, torch=narrow))
    slower = times(narrow, 2.0)
    assert baseline.changes(then, [result(narrow, None, torch=slower)]) == ([], 1)
    assert baseline.changes(then, [result(times(narrow, 1.02), None)]) == ([], 1)
    (other,) = [Result("infer", "lstm 7", 1, "%", {}, {"elman": slower})]
    assert baseline.changes(then, [other]) == ([], 0)


def test_another_machine_is_refused_and_another_version_told() -> None:
    here = where(os.environ)
    assert baseline.differences(here, here) == []
    assert baseline.differences(here | {"torch": "1.0"}, here) == [
        f"the baseline had torch 1.0, here it is {here['torch']}"
    ]
    for name in baseline.MACHINE:
        with pytest.raises(UserError, match=f"its {name.replace('_', ' ')} is another"):
            baseline.differences(here | {name: "another"}, here)


SMALL = ("--rows", "regularised", "--cells", "gru", "--sizes", "6", "--threads", "1",
         "--repeats", "2", "--quick")  # fmt: skip


def test_the_command_ends_with_1_where_something_is_slower(tmp_path: Path) -> None:
    assert call("bench", *SMALL, "--output", tmp_path / "before").code == 0
    file = tmp_path / "before" / "bench.json"
    before = json.loads(file.read_text())
    (row,) = before["results"]
    for name in ("plain", "norm"):
        row["seconds"][name] = {k: value / 100 for k, value in row["seconds"][name].items()}
    row["seconds"]["w.drop"] = dict.fromkeys(("median", "low", "high"), 1e9)
    del row["seconds"]["variat."]
    row["seconds"]["zoneout"] |= {"low": 0.0, "high": 1e9}
    file.write_text(json.dumps(before))
    ended = call("bench", *SMALL, "--baseline", file.parent, "--output", tmp_path / "now")
    assert ended.code == 1
    assert "4 times beside the baseline: 2 slower, 1 faster:\n" in ended.out
    for name in ("plain", "norm"):
        assert f"  regularised gru 6, 1 thread: {name}: " in ended.out
    assert ended.err.endswith("elman: 2 of 4 times are longer than in the baseline\n")
    assert (tmp_path / "now" / "bench.json").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"results": [1], "where": {}}'])
def test_what_is_no_bench_is_refused_before_anything_is_measured(text: str, tmp_path: Path) -> None:
    file = tmp_path / "b.json"
    file.write_text(text)
    ended = call("bench", *SMALL, "--baseline", file)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"elman: --baseline {file}: not the bench.json of this version")
    assert [p.name for p in tmp_path.iterdir()] == ["b.json"]
