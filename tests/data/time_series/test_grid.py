"""Dates go into whole numbers and back; frequency and season are found."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from elman.data.sunspots import FIGURES
from elman.data.time_series import grid as calendar
from elman.data.time_series.grid import Grid

START = datetime(1999, 11, 30)


def _months(step: int, day: int) -> list[str]:
    months = [1999 * 12 + 10 + step * k for k in range(40)]
    return [f"{m // 12}-{m % 12 + 1:02}-{day:02}" for m in months]


def _every(span: timedelta, pattern: str) -> list[str]:
    return [(START + span * k).strftime(pattern) for k in range(60)]


WRITTEN = {
    "hourly": (_every(timedelta(hours=1), "%Y-%m-%d %H:%M:%S"), 24),
    "half-hourly": (_every(timedelta(minutes=30), "%Y-%m-%dT%H:%M"), 48),
    "every 10 minutes": (_every(timedelta(minutes=10), "%Y/%m/%d %H:%M"), 144),
    "daily": (_every(timedelta(days=1), "%d.%m.%Y"), 7),
    "weekly": (_every(timedelta(days=7), "%Y%m%d"), 52),
    "monthly": ([day[:7] for day in _months(1, 1)], 12),
    "quarterly": (_months(3, 15), 4),
    "yearly": (_months(12, 1), None),
    "every 2 months": ([day[:7] for day in _months(2, 1)], 6),
    "numbered": ([str(k) for k in range(1700, 1750)], None),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_dates_of_every_frequency_are_read_and_written_alike(name: str) -> None:
    texts, season = WRITTEN[name]
    pattern = calendar.pattern_of(texts[0])
    assert pattern is not None
    moments = np.array([calendar.parse(text, pattern) for text in texts], dtype=np.int64)
    grid = calendar.grid_of([moments], pattern)
    assert (grid.name, grid.season) == (name, season)
    places = grid.of(moments)
    assert [grid.text(int(place)) for place in places] == texts
    assert (np.diff(places) == grid.step).all()


def test_quarters_month_ends_and_working_days_have_their_grids() -> None:
    quarters = [f"{2000 + k // 4}Q{k % 4 + 1}" for k in range(9)]
    ends = ["2000-01-31", "2000-02-29", "2000-03-31", "2000-04-30", "2000-05-31"]
    weekdays = [d for k in range(30) if (d := START + timedelta(days=k)).weekday() < 5]
    days = [day.strftime("%Y-%m-%d") for day in weekdays]
    for texts, season in ((quarters, 4), (ends, 12), (days, 5)):
        pattern = calendar.pattern_of(texts[0])
        assert pattern is not None
        moments = np.array([calendar.parse(text, pattern) for text in texts], dtype=np.int64)
        grid = calendar.grid_of([moments], pattern)
        assert grid.season == season
        assert json.loads(json.dumps(asdict(grid))) == asdict(grid)  # as it is kept with a model
        assert [grid.text(int(place)) for place in grid.of(moments)] == texts
        assert (np.diff(grid.of(moments)) == grid.step).all()


@given(st.text(max_size=12))
def test_what_is_taken_for_a_date_is_read_as_one(text: str) -> None:
    pattern = calendar.pattern_of(text)
    assert pattern is None or calendar.parse(text, pattern) is not None


def test_what_is_read_of_a_date_is_what_the_calendar_says() -> None:
    moments = np.array([calendar.parse(t, "%Y-%m-%d") for t in ("2024-02-29", "2024-03-04")])
    grid = Grid("seconds", calendar.DAY, "%Y-%m-%d")
    month = grid.features(moments, ("month",))
    assert month.argmax(1).tolist() == [1, 2] and (month.sum(1) == 1).all()
    weekday = grid.features(moments, ("weekday",))
    assert weekday.argmax(1).tolist() == [3, 0] and (weekday.sum(1) == 1).all()
    assert grid.features(moments, ("year",))[0, 0] == pytest.approx(2024 + 1 / 12)
    assert grid.features(moments, ("hour", "yearday")).shape == (2, 8)


@given(st.integers(3, 40), st.integers(0, 2**32 - 1))
def test_the_season_of_what_repeats_itself_is_found(season: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    shape = draw.normal(size=season)
    # Not nearly a shorter season repeated.
    shorter = [d for d in range(1, season) if season % d == 0]
    assume(all(np.corrcoef(shape, np.roll(shape, d))[0, 1] < 0.5 for d in shorter))
    y = np.tile(shape, 12) + 0.05 * shape.std() * draw.normal(size=12 * season)
    found = calendar.season_of([y + 0.1 * np.arange(len(y))])
    assert found == season


def test_the_sun_needs_eleven_years_and_noise_has_no_season() -> None:
    assert calendar.season_of([np.array([float(v) for v in FIGURES.split()])]) == 11
    assert calendar.season_of([np.random.default_rng(0).normal(size=2000)]) == 1
    assert calendar.season_of([np.ones(50), np.arange(4.0)]) == 1
