"""Moments go onto grids and back; frequencies are found, kept, and go on."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from elman.data.built_in.sunspots import FIGURES
from elman.data.dates.dates import Dates, dates_of
from elman.data.tables.profile import Profile
from elman.data.time_series import frequency, seasons
from elman.data.time_series.grid import DAY, HOUR, SECOND, Grid, grid_from_json
from elman.errors import UserError

START = datetime(1999, 11, 30)
ISO = Dates("%Y-%m-%d")


def _moments(texts: list[str]) -> tuple[np.ndarray[Any, Any], Dates]:
    profile = Profile("ds")
    profile.add(texts, range(len(texts)))
    dates = dates_of(profile)
    assert dates is not None
    moments, faulty = dates.moments(texts)
    assert not faulty.any()
    return moments, dates


def _grid(texts: list[str]) -> tuple[Grid, np.ndarray[Any, Any]]:
    moments, dates = _moments(texts)
    grid = frequency.grid_of([moments], dates)
    return grid, grid.of(moments)


def _months(step: int, day: int) -> list[str]:
    months = [1999 * 12 + 10 + step * k for k in range(40)]
    return [f"{m // 12}-{m % 12 + 1:02}-{day:02}" for m in months]


def _every(span: timedelta, pattern: str) -> list[str]:
    return [(START + span * k).strftime(pattern) for k in range(60)]


def _of_months(on: str) -> list[str]:
    """Days of 40 months from 2010 on."""
    found = []
    for k in range(40):
        first = datetime(2010 + k // 12, k % 12 + 1, 1)
        month = [d for n in range(31) if (d := first + timedelta(n)).month == first.month]
        working = [d for d in month if d.weekday() < 5]
        day = {
            "last": month[-1], "first working": working[0], "last working": working[-1],
            "30th": month[min(29, len(month) - 1)], "15th": month[14],
        }[on]  # fmt: skip
        found.append(day.strftime("%d/%m/%Y"))
    return found


WRITTEN: dict[str, tuple[str, list[str], int | None]] = {
    "hours": ("hourly", _every(timedelta(hours=1), "%Y-%m-%d %H:%M:%S"), 24),
    "half hours": ("half-hourly", _every(timedelta(minutes=30), "%Y-%m-%dT%H:%M"), 48),
    "ten minutes": ("every 10 minutes", _every(timedelta(minutes=10), "%Y/%m/%d %H:%M"), 144),
    "minutes": ("every minute", _every(timedelta(minutes=1), "%d.%m.%Y %H:%M"), 1440),
    "five seconds": ("every 5 seconds", _every(timedelta(seconds=5), "%Y-%m-%d %H:%M:%S"), None),
    "40 ms": ("every 40 milliseconds", _every(timedelta(milliseconds=40),
                                              "%Y-%m-%dT%H:%M:%S.%f"), None),
    "70 us": ("every 70 microseconds", _every(timedelta(microseconds=70),
                                              "%Y-%m-%dT%H:%M:%S.%f"), None),
    "days": ("daily", _every(timedelta(days=1), "%d.%m.%Y"), 7),
    "days at four": ("daily", _every(timedelta(days=1), "%d.%m.%Y 16:00"), 7),
    "weeks": ("weekly", _every(timedelta(days=7), "%Y%m%d"), 52),
    "named weeks": ("weekly", [f"{y}-W{w:02}" for y in (2018, 2019) for w in range(1, 53)], 52),
    "two weeks": ("every 2 weeks", _every(timedelta(days=14), "%Y-%m-%d"), 26),
    "ten days": ("every 10 days", _every(timedelta(days=10), "%Y-%m-%d"), None),
    "months": ("monthly", [day[:7] for day in _months(1, 1)], 12),
    "quarters": ("quarterly", _months(3, 15), 4),
    "named quarters": ("quarterly", [f"{2000 + k // 4}Q{k % 4 + 1}" for k in range(9)], 4),
    "years": ("yearly", _months(12, 1), None),
    "mere years": ("yearly", [str(y) for y in range(1960, 2020)], None),
    "two months": ("every 2 months", [day[:7] for day in _months(2, 1)], 6),
    "packed months": ("monthly", [day[:7].replace("-", "") for day in _months(1, 1)], 12),
    "numbers": ("numbered", [str(k) for k in range(100, 150)], None),
    "fractions": ("every 0.04", [f"{0.04 * k:.2f}" for k in range(50)], None),
    "month ends": ("monthly", _of_months("last"), 12),
    "day 30": ("monthly", _of_months("30th"), 12),
    "middles": ("monthly", _of_months("15th"), 12),
    "last working days": ("monthly", _of_months("last working"), 12),
    "first working days": ("monthly", _of_months("first working"), 12),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRITTEN)
def test_dates_of_every_frequency_are_read_written_and_go_on(kind: str) -> None:
    name, texts, season = WRITTEN[kind]
    grid, places = _grid(texts)
    assert (grid.name, grid.season) == (name, season)
    assert [grid.text(int(place)) for place in places] == texts
    assert (grid.between(places) == 1).all()
    # What follows the first half is the second.
    half, rest = len(texts) // 2, len(texts) - len(texts) // 2
    assert [grid.text(int(p)) for p in grid.after(int(places[half - 1]), rest)] == texts[half:]
    kept = json.loads(json.dumps(grid.to_json()))
    assert grid_from_json(kept) == grid and kept == grid.to_json()


def _sessions(off: set[int], holidays: list[int], count: int = 200) -> list[str]:
    days = [START + timedelta(days=k) for k in range(count) if k not in holidays]
    return [day.strftime("%Y-%m-%d") for day in days if day.weekday() not in off]


@given(
    st.sampled_from([{5, 6}, {4, 5}, {6}, {0}, {1, 3, 5, 6}]),
    st.lists(st.integers(20, 180), max_size=6),
    st.integers(0, 5),
)
def test_days_of_trading_are_a_calendar_of_their_own(
    off: set[int], starts: list[int], length: int
) -> None:
    holidays = [start + k for start in starts[:3] for k in range(length)]
    texts = _sessions(off, holidays)
    grid, places = _grid(texts)
    assert grid.unit == "sessions" and set(grid.weekdays) == set(range(7)) - off
    assert grid.season == 7 - len(off)
    assert (grid.between(places) == 1).all() and [grid.text(int(p)) for p in places] == texts
    ahead = [datetime.fromisoformat(grid.text(int(p))) for p in grid.after(int(places[-1]), 20)]
    assert not {day.weekday() for day in ahead} & off and len(set(ahead)) == 20
    assert (ahead[-1] - ahead[0]).days <= 20 * 7 / (7 - len(off)) + 2
    told = grid.features(places, ("weekday",)).argmax(1)
    assert told.tolist() == [datetime.fromisoformat(text).weekday() for text in texts]
    assert grid_from_json(json.loads(json.dumps(grid.to_json()))) == grid


def test_a_session_that_was_moved_to_a_weekend_is_one_like_others() -> None:
    texts = sorted([*_sessions({5, 6}, []), "2000-01-08"])  # a Saturday, as China makes up days
    grid, places = _grid(texts)
    assert grid.unit == "sessions" and (grid.between(places) == 1).all()
    saturday = int(places[texts.index("2000-01-08")])
    assert grid.text(int(grid.after(saturday, 1)[0])) == "2000-01-10"


def test_what_is_missing_for_longer_than_holidays_last_is_a_gap() -> None:
    texts = _sessions({5, 6}, list(range(50, 90)))
    grid, places = _grid(texts)
    steps = grid.between(places)
    assert grid.unit == "sessions" and sorted(set(steps.tolist())) == [1, 29]
    whole = _sessions({5, 6}, [])
    assert [grid.text(int(p)) for p in grid.filled(places, steps)] == whole


def test_a_few_days_that_are_missing_are_no_calendar() -> None:
    days = [START + timedelta(days=k) for k in range(60)]
    for gone in ([20], [20, 21], [20, 27]):
        texts = [d.strftime("%Y-%m-%d") for k, d in enumerate(days) if k not in gone]
        grid, places = _grid(texts)
        assert grid.name == "daily" and int(grid.between(places).sum()) == 59


def test_daylight_saving_moves_no_day() -> None:
    # Midnights of Berlin in UTC: 23:00 in winter, 22:00 in summer.
    days = [datetime(2020, 3, 1) + timedelta(days=k) for k in range(60)]
    texts = [(d - timedelta(hours=1 if d < datetime(2020, 3, 30) else 2)).isoformat() for d in days]
    grid, places = _grid(texts)
    assert grid.name == "daily" and (grid.between(places) == 1).all()


def test_months_by_a_working_day_may_miss_it_on_holidays() -> None:
    texts = _of_months("last working")
    texts[4] = "28/05/2010"  # 31 May was a holiday
    grid, places = _grid(texts)
    assert grid.working == "last" and (np.diff(places) == 1).all()


def test_most_decide_the_frequency_whatever_is_missing() -> None:
    draw = np.random.default_rng(5)
    for span, name in ((timedelta(hours=1), "hourly"), (timedelta(days=7), "weekly")):
        texts = [
            (START + span * k).strftime("%Y-%m-%d %H:%M") for k in range(200) if draw.random() < 0.7
        ]
        grid, places = _grid(texts)
        assert grid.name == name and (grid.between(places) >= 1).all()


def test_what_is_read_of_a_date_is_what_the_calendar_says() -> None:
    days = np.array(["2024-02-29", "2024-03-04"], dtype="M8[D]").astype(np.int64)
    grid = Grid("days", 1, ISO)
    month = grid.features(days, ("month",))
    assert month.argmax(1).tolist() == [1, 2] and (month.sum(1) == 1).all()
    weekday = grid.features(days, ("weekday",))
    assert weekday.argmax(1).tolist() == [3, 0] and (weekday.sum(1) == 1).all()
    assert grid.features(days, ("year",))[0, 0] == pytest.approx(2024 + 1 / 12)
    assert grid.features(days, ("hour", "yearday")).shape == (2, 8)
    hours = Grid("microseconds", HOUR, ISO)
    waves = hours.features(np.array([6 * HOUR, 18 * HOUR + DAY]), ("hour",))
    assert waves[:, 0].tolist() == pytest.approx([1, -1])  # the sine of a quarter of a day
    assert Grid("microseconds", SECOND // 25, ISO).cycles == ()


GOOD = Grid("sessions", 1, ISO, weekdays=(0, 1, 2)).to_json()
DAMAGED: dict[str, Any] = {
    "none": None,
    "no dates": {k: v for k, v in GOOD.items() if k != "dates"},
    "no pattern": GOOD | {"dates": {}},
    "no step": {k: v for k, v in GOOD.items() if k != "step"},
    "no such unit": GOOD | {"unit": "moons"},
    "a step of nothing": GOOD | {"step": 0},
    "a word for a step": GOOD | {"step": "far"},
    "a ninth weekday": GOOD | {"weekdays": [0, 8]},
    "weekdays twice": GOOD | {"weekdays": [1, 1]},
    "no weekdays": GOOD | {"weekdays": []},
    "something else": GOOD | {"colour": "red"},
    "old": {"unit": "seconds", "step": 86_400, "pattern": "%Y-%m-%d"},
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_grid_is_one_clear_line(what: str) -> None:
    assert grid_from_json(GOOD).weekdays == (0, 1, 2)
    with pytest.raises(UserError, match=r"^preprocessing\.json: damaged \(.+\)$"):
        grid_from_json(DAMAGED[what])


@given(st.integers(3, 40), st.integers(0, 2**32 - 1))
def test_the_season_of_what_repeats_itself_is_found(season: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    shape = draw.normal(size=season)
    # Not nearly a shorter season repeated.
    shorter = [d for d in range(1, season) if season % d == 0]
    assume(all(np.corrcoef(shape, np.roll(shape, d))[0, 1] < 0.5 for d in shorter))
    y = np.tile(shape, 12) + 0.05 * shape.std() * draw.normal(size=12 * season)
    found = seasons.season_of([y + 0.1 * np.arange(len(y))])
    assert found == season


def test_the_sun_needs_eleven_years_and_noise_has_no_season() -> None:
    assert seasons.season_of([np.array([float(v) for v in FIGURES.split()])]) == 11
    assert seasons.season_of([np.random.default_rng(0).normal(size=2000)]) == 1
    assert seasons.season_of([np.ones(50), np.arange(4.0)]) == 1
