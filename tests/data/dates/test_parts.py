"""Several columns are one time together, or none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.dates.dates import Parts, parts_from_json, parts_of
from elman.data.tables.profile import Profile
from elman.errors import UserError

HOURS = [datetime(2014, 1, 1) + timedelta(hours=k) for k in range(400)]
MONTHS = [datetime(2000 + k // 12, k % 12 + 1, 1) for k in range(40)]
NAMES = {
    "English": ("year", "month", "day", "hour"),
    "short": ("yr", "mo", "dy", "hr"),
    "upper": ("YEAR", "MONTH", "DAY", "HOUR (UTC)"),
    "buoys": ("YYYY", "MM", "DD", "hh"),
    "German": ("Jahr", "Monat", "Tag", "Stunde"),
    "French": ("année", "mois", "jour", "heure"),
    "Spanish": ("año", "mes", "día", "hora"),
    "Portuguese": ("ano", "mês", "dia", "hora"),
    "Italian": ("anno", "mese", "giorno", "ora"),
    "Russian": ("год", "месяц", "день", "час"),
    "Chinese": ("年", "月", "日", "时"),
    "Korean": ("년", "월", "일", "시"),
}


def found(columns: Mapping[str, Sequence[object]]) -> Parts | None:
    profiles = []
    for name, cells in columns.items():
        profile = Profile(name)
        profile.add(cells, range(2, 2 + len(cells)))
        profiles.append(profile)
    return parts_of(profiles)


def read(parts: Parts, columns: Mapping[str, Sequence[object]]) -> list[datetime]:
    cells = parts.cells([columns[name] for name in parts.names])
    moments, bad = parts.dates.moments(cells)
    assert not bad.any()
    assert [parts.dates.text(int(m)) for m in moments[:3]] == cells[:3]
    return [moment.item() for moment in moments.astype("M8[us]")]


@given(st.sampled_from(sorted(NAMES)), st.booleans(), st.booleans(), st.randoms())
@settings(max_examples=60)
def test_year_month_day_hour_are_one_time(language: str, typed: bool, padded: bool, order) -> None:  # type: ignore[no-untyped-def]
    names = NAMES[language]
    parts = [[t.year, t.month, t.day, t.hour] for t in HOURS]
    written = [[v if typed else f"{v:02}" if padded else str(v) for v in row] for row in parts]
    columns: dict[str, list[object]] = {"No": list(range(1, 401))}
    pairs = list(zip(names, map(list, zip(*written, strict=True)), strict=True))
    order.shuffle(pairs)
    columns |= dict(pairs) | {"pm2.5": [1.5] * 400}
    together = found(columns)
    assert together is not None and together.names == names
    assert read(together, columns) == HOURS
    assert parts_from_json(json.loads(json.dumps(asdict(together)))) == together


def test_a_year_and_a_month_are_enough_and_may_be_names() -> None:
    columns = {"Year": [str(t.year) for t in MONTHS], "Month": [f"{t:%m}" for t in MONTHS]}
    together = found(columns)
    assert together is not None and read(together, columns) == MONTHS
    columns["Month"] = [
        "JanFebMarAprMayJunJulAugSepOctNovDec"[3 * t.month - 3 :][:3] for t in MONTHS
    ]
    assert (together := found(columns)) is not None and read(together, columns) == MONTHS
    quarters = {"year": ["2010", "2010", "2011"], "qtr": ["1", "3", "4"]}
    assert (together := found(quarters)) is not None
    assert [t.month for t in read(together, quarters)] == [1, 7, 10]


@pytest.mark.parametrize(
    ("date", "time", "clock"),
    [
        ("%d/%m/%Y", "%H.%M.%S", "Time"),
        ("%Y-%m-%d", "%H:%M", "clock"),
        ("%Y%m%d", "%H%M", "time"),
        ("%d.%m.%Y", "%H:%M:%S", "Uhrzeit"),
        ("%Y/%m/%d", "%I:%M %p", "x"),
        ("%Y-%m-%d", "%H", "hr"),
    ],
)
def test_a_date_and_a_time_of_day_are_one_time(date: str, time: str, clock: str) -> None:
    columns: dict[str, Sequence[object]] = {
        clock: [t.strftime(time) for t in HOURS], "y": [1.5] * 400,
        "date": [t.strftime(date) for t in HOURS],
    }  # fmt: skip
    together = found(columns)
    assert together is not None and together.names == ("date", clock)
    cells = together.cells([columns["date"], columns[clock]])
    moments, bad = together.dates.moments(cells)
    assert not bad.any()
    assert [m.item() for m in moments.astype("M8[us]")] == HOURS


def test_a_part_that_is_none_is_flagged_with_its_row() -> None:
    columns = {"year": ["2014"] * 30, "month": ["1"] * 30, "day": [str(k) for k in range(1, 31)]}
    columns["month"][3], columns["day"][7] = "13", ""
    together = found(columns)
    assert together is not None
    cells = together.cells(list(columns.values()))
    assert together.dates.moments(cells)[1].nonzero()[0].tolist() == [3, 7]


@pytest.mark.parametrize(
    "columns",
    [
        {"month": ["1", "2"], "day": ["3", "4"]},
        {"year": ["1", "2"], "month": ["3", "4"]},
        {"year": ["2010", "2011"], "sales": ["3", "4"]},
        {"ds": ["2010-01-01", "2010-01-02"], "year": ["2010", "2010"], "month": ["1", "1"]},
        {"ds": ["2010-01-01 13:00", "2010-01-02 13:00"], "time": ["13:00", "13:00"]},
        {"hour": ["1", "2"], "y": ["3", "4"]},
        {"year": ["2010", "2011"], "month": ["red", "blue"]},
    ],
)
def test_other_columns_are_no_time(columns: dict[str, list[str]]) -> None:
    assert found(columns) is None


def test_damaged_parts_are_refused() -> None:
    good: dict[str, object] = {"names": ["a"], "parts": ["year"], "dates": {"pattern": "%Y"}}
    assert parts_from_json(good).names == ("a",)
    damages: list[dict[str, object]] = [
        {"parts": []}, {"parts": ["era"]}, {"dates": {}}, {"dates": 5}
    ]  # fmt: skip
    for damage in damages:
        with pytest.raises(UserError):
            parts_from_json(good | damage)
    with pytest.raises(UserError):
        parts_from_json([])


@pytest.mark.parametrize("pattern", ["%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y"])
def test_beside_a_time_of_day_the_days_lie_close_together(pattern: str) -> None:
    """Fewer than thirteen days do not show which number is the month; an hour each does."""
    hours = [datetime(2020, 1, 2) + timedelta(hours=k) for k in range(120)]
    profiles = [Profile("date"), Profile("time")]
    profiles[0].add([f"{hour:{pattern}}" for hour in hours], range(len(hours)))
    profiles[1].add([f"{hour:%H:%M}" for hour in hours], range(len(hours)))
    parts = parts_of(profiles)
    assert parts is not None and parts.names == ("date", "time")
    cells = parts.cells([[f"{h:{pattern}}" for h in hours], [f"{h:%H:%M}" for h in hours]])
    moments, bad = parts.dates.moments(cells)
    assert not bad.any() and (moments[1:] - moments[:-1] == 3_600_000_000).all()
    assert not parts.dates.assumed
