"""Spans of time count from their start, years of an era are Western ones; both are written back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.dates.dates import Dates, dates_of
from elman.data.dates.ranges import MARKS, WIDE
from elman.data.tables.profile import Profile

EPOCH = datetime(1970, 1, 1)
STARTS = {"%d.%m.%Y %H:%M": 60, "%Y-%m-%d": 10_080, "%d.%m.%Y": 10_080, "%Y-%m-%d %H:%M:%S": 15,
          "%Y年%m月%d日": 10_080}  # fmt: skip


def _judged(cells: Sequence[str]) -> Dates:
    profile = Profile("")
    profile.add(cells, range(len(cells)))
    dates = dates_of(profile)
    assert dates is not None
    return dates


def _moment(when: datetime) -> int:
    return (when - EPOCH) // timedelta(microseconds=1)


@settings(max_examples=150)
@given(
    pattern=st.sampled_from(sorted(STARTS)),
    mark=st.sampled_from([*MARKS, WIDE]),
    begin=st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)),
    ends=st.booleans(),
)
def test_a_span_of_time_is_its_start(pattern: str, mark: str, begin: datetime, ends: bool) -> None:
    begin = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    step = timedelta(minutes=STARTS[pattern])
    span = step if "%H" in pattern else step - timedelta(days=1)
    whens = [begin + k * step for k in range(30)]
    late = "%H:%M" if "%H" in pattern and not ends and mark != "-" else pattern
    cells = [f"{when:{pattern}}{mark}{when + span:{late}}" for when in whens]
    dates = _judged(cells)
    moments, bad = dates.moments(cells)
    assert not bad.any() and moments.tolist() == [_moment(when) for when in whens]
    written = [dates.text(moment) for moment in moments]
    assert written == (cells if late == pattern else [f"{when:{pattern}}" for when in whens])
    moments, bad = dates.moments(["Total", f"{cells[0]}{mark}x", whens[0].strftime(pattern)])
    assert bad.tolist()[0] and bad.tolist()[2] is False


ERAS = {"明治": 1868, "大正": 1912, "昭和": 1926, "平成": 1989, "令和": 2019, "民國": 1912}


@pytest.mark.parametrize(
    ("cell", "year", "month", "day"),
    [("令和2年1月1日", 2020, 1, 1), ("平成30年", 2018, 1, 1), ("令和元年5月", 2019, 5, 1),
     ("昭和64年1月7日", 1989, 1, 7), ("平成元年1月8日", 1989, 1, 8),
     ("大正15年12月24日", 1926, 12, 24),
     ("民國109年1月1日", 2020, 1, 1), ("R2.1.1", 2020, 1, 1), ("S63/12/31", 1988, 12, 31),
     ("平成３０年４月１日", 2018, 4, 1)],
)  # fmt: skip
def test_years_of_an_era_are_western_ones(cell: str, year: int, month: int, day: int) -> None:
    dates = _judged([cell, cell])
    moments, bad = dates.moments([cell])
    assert not bad.any() and moments[0] == _moment(datetime(year, month, day))
    if cell.isascii() or not any("０" <= letter <= "９" for letter in cell):
        assert dates.text(int(moments[0])) == cell


@settings(max_examples=100)
@given(st.datetimes(datetime(1880, 1, 1), datetime(2030, 1, 1)), st.integers(1, 400))
def test_days_of_eras_go_on_into_the_next_one(begin: datetime, step: int) -> None:
    def of_era(when: datetime) -> str:
        starts = [("明治", datetime(1868, 1, 25)), ("大正", datetime(1912, 7, 30)),
                  ("昭和", datetime(1926, 12, 25)), ("平成", datetime(1989, 1, 8)),
                  ("令和", datetime(2019, 5, 1))]  # fmt: skip
        name, first = [era for era in starts if era[1] <= when][-1]
        year = when.year - first.year + 1
        return f"{name}{'元' if year == 1 else year}年{when.month}月{when.day}日"

    days = [begin.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=step * k)
            for k in range(30)]  # fmt: skip
    cells = [of_era(day) for day in days]
    dates = _judged(cells)
    moments, bad = dates.moments(cells)
    assert not bad.any() and moments.tolist() == [_moment(day) for day in days]
    assert [dates.text(int(moment)) for moment in moments] == cells


@pytest.mark.parametrize(
    "cells",
    [["H1", "H2", "R2"], ["2019-2020", "2020-2021"], ["a - b", "c - d"], ["12 - 15", "15 - 18"],
     ["M3.5", "T2.1"], ["plan 2020-01-06/9", "x/y"]],
)  # fmt: skip
def test_other_words_are_neither(cells: list[str]) -> None:
    profile = Profile("")
    profile.add(cells * 3, range(3 * len(cells)))
    assert dates_of(profile) is None
