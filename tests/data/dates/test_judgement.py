"""What a whole column decides about its dates: order, century, zone; what is none is flagged."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.dates import cells as date_cells
from elman.data.dates.dates import NUMBER_STYLES, STYLES, Dates, dates_of
from elman.data.dates.month_names import MONTHS, WEEKDAYS, month_of, months_as
from elman.data.dates.styles import seen_in
from elman.data.tables.profile import Profile
from elman.errors import UserError
from elman.options import make

CASES = Path(__file__).parents[4] / "shared" / "cases"


def profile_of(cells: Sequence[object], name: str = "ds") -> Profile:
    profile = Profile(name)
    profile.add(cells, range(2, 2 + len(cells)))
    return profile


def judged(cells: Sequence[object], date_format: str | None = None) -> Dates:
    dates = dates_of(profile_of(cells), date_format)
    assert dates is not None
    return dates


def when(dates: Dates, cell: object) -> str:
    moments, bad = dates.moments([cell])
    assert not bad[0], cell
    return str(moments.astype("M8[us]")[0].item())


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here")
@pytest.mark.parametrize(
    ("file", "column", "pattern", "first", "last", "bad"),
    [
        ("dmy.csv", "date", "%d/%m/%Y", "2010-01-01 00:00:00", "2019-12-01 00:00:00", 0),
        ("desc.csv", "date", "%d/%m/%Y", "2019-12-01 00:00:00", "2010-01-01 00:00:00", 0),
        ("comma.csv", "date", "%d.%m.%Y", "2010-01-01 00:00:00", "2019-12-01 00:00:00", 0),
        ("mon.csv", "date", "%B-%y", "2010-01-01 00:00:00", "2019-12-01 00:00:00", 0),
        ("zhdate2.csv", "日期", "%Y年%-m月%-d日", "2010-01-01 00:00:00", "2019-12-01 00:00:00", 0),
        ("iso.csv", "date", "%Y-%m-%dT%H:%M:%S%z", "2020-01-01 00:00:00", "2020-01-17 15:00:00", 0),
        ("yyyymm.csv", "period", "%Y%m", "2012-01-01 00:00:00", "2019-12-01 00:00:00", 0),
        ("epoch_fraction.csv", "timestamp", "%s", "2020-09-13 12:26:40", "2020-09-21 19:26:40", 0),
        ("unpadded_hours.csv", "ds", "%Y-%m-%d %-H:%M", "2019-01-01 00:00:00",
         "2019-01-09 07:00:00", 0),
        ("quarter.csv", "date", "%YQ%q", "1980-01-01 00:00:00", "2009-10-01 00:00:00", 0),
        ("first_date_missing.csv", "ds", "%Y-%m-%d", "2021-03-02 00:00:00",
         "2021-06-28 00:00:00", 1),
        ("last_business_day.csv", "date", "%Y-%m-%d", "2010-01-29 00:00:00",
         "2018-04-30 00:00:00", 0),
        ("stock.csv", "Date", "%Y-%m-%d", "2019-01-02 00:00:00", "2020-07-17 00:00:00", 0),
    ],
)  # fmt: skip
def test_the_shared_cases_are_read(
    file: str, column: str, pattern: str, first: str, last: str, bad: int
) -> None:
    with (CASES / file).open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter=";" if file == "comma.csv" else ","))
    cells = [row[column] for row in rows]
    dates = judged(cells)
    moments, wrong = dates.moments(cells)
    good = moments[~wrong].astype("M8[us]")
    assert (dates.pattern, int(wrong.sum())) == (pattern, bad)
    assert (str(good[0].item()), str(good[-1].item())) == (first, last)
    assert not dates.assumed
    assert [dates.text(m) for m, w in zip(moments, wrong, strict=True) if not w] == [
        cell for cell in cells if cell
    ]


def test_every_example_of_the_table_of_styles_is_in_its_style() -> None:
    for style in STYLES:
        for example in style.examples:
            assert style in [seen.style for seen in seen_in(example)], example
            assert judged([example] * 3).style, example
    for number in NUMBER_STYLES:
        for example in number.examples:
            dates = judged([example] * 3)
            told = dates.told()
            assert told == number.name or " as YYYY" in told, example
            assert dates.text(int(dates.moments([example])[0][0])) == example


@given(
    month_first=st.booleans(), mark=st.sampled_from("/.-"), year=st.integers(1970, 2030),
    telling=st.integers(13, 28), place=st.integers(0, 30),
)  # fmt: skip
def test_one_row_anywhere_decides_the_order_of_day_and_month(
    month_first: bool, mark: str, year: int, telling: int, place: int
) -> None:
    drawn = np.random.default_rng(year)
    pairs = [(int(d), int(m)) for d, m in drawn.integers(1, 13, (30, 2))]
    pairs.insert(place, (telling, 3))
    order = "%m{0}%d{0}%Y" if month_first else "%d{0}%m{0}%Y"
    cells = [datetime(year, m, d).strftime(order.format(mark)) for d, m in pairs]
    dates = judged(cells)
    assert (dates.pattern, dates.assumed) == (order.format(mark), "")
    moments, _ = dates.moments(cells)
    assert [m.item().day for m in moments.astype("M8[us]")] == [d for d, _ in pairs]


def test_even_spacing_decides_where_no_row_tells() -> None:
    monthly = [(y, m) for y in (2010, 2011) for m in range(1, 13)]
    hours = [datetime(2010, 2, 1) + timedelta(hours=k) for k in range(240)]
    short = [datetime(2010, 3, 1) + timedelta(days=k) for k in range(700)]
    for cells, pattern in (
        ([f"01/{m:02}/{y}" for y, m in monthly], "%d/%m/%Y"),
        ([f"{m:02}/01/{y}" for y, m in monthly], "%m/%d/%Y"),
        ([f"01/{m:02}/2010" for m in range(1, 13)], "%d/%m/%Y"),
        ([f"{m:02}-01-2010" for m in range(1, 13)], "%m-%d-%Y"),
        ([f"{t:%m/%d/%Y %H:%M}" for t in hours], "%m/%d/%Y %H:%M"),
        ([f"{t:%d/%m/%Y %H:%M}" for t in hours], "%d/%m/%Y %H:%M"),
        ([f"{t:%y-%m-%d}" for t in short], "%y-%m-%d"),
    ):
        dates = judged(cells)
        assert (dates.pattern, dates.assumed) == (pattern, "")


def test_what_is_assumed_is_told_with_the_option_that_says_otherwise() -> None:
    undecided = [("05", "01"), ("06", "02"), ("07", "05")]
    for mark, order in (("/", "%d/%m/%Y"), (".", "%d.%m.%Y"), ("-", "%d-%m-%Y")):
        dates = judged([f"{a}{mark}{b}{mark}2010" for a, b in undecided])
        assert dates.pattern == order
        assert f"--date-format %m{mark}%d{mark}%Y" in dates.told()
    american = judged(["5/1/2010 1:30 PM", "6/2/2010 1:30 PM", "7/5/2010 1:30 PM"])
    assert american.pattern == "%-m/%-d/%Y %-I:%M %p"
    assert '--date-format "%d/%m/%Y %I:%M %p"' in american.told()


def test_order_is_decided_beyond_the_cells_that_are_kept() -> None:
    drawn = np.random.default_rng(1)
    pairs, seconds = drawn.integers(1, 13, (2, 110_000)), drawn.integers(0, 86_400, 110_000)
    cells = [
        f"{a:02}/{b:02}/2010 {s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}"
        for a, b, s in zip(*pairs.tolist(), seconds.tolist(), strict=True)
    ]
    profile = profile_of(cells)
    undecided = dates_of(profile)
    assert undecided is not None and undecided.assumed
    profile.add(["02/25/2010 00:00:00"], [200_000])
    dates = dates_of(profile)
    assert dates is not None and dates.pattern.startswith("%m/%d/%Y") and not dates.assumed


@given(st.integers(1900, 2060), st.integers(1, 60))
def test_two_digits_never_jump_a_century(start: int, years: int) -> None:
    cells = [f"01.06.{(start + k) % 100:02}" for k in range(years)]
    dates = judged(cells)
    moments, bad = dates.moments(cells)
    read = [m.item().year for m in moments.astype("M8[us]")]
    assert not bad.any() and np.diff(read).tolist() == [1] * (years - 1)
    if start >= 1969 and start + years <= 2069:
        assert read[0] == start
    before = [f"01.06.{year}" for year in range(65, 73)]
    assert when(judged(before), "01.06.65") == "1965-06-01 00:00:00"


@pytest.mark.parametrize(
    ("cells", "wrong"),
    [
        (["31/02/2010", "28/02/2010", "27/02/2010", "26/02/2010"], [0]),
        (["2010-01-01", "total", "2010-01-03", ""], [1, 3]),
        (["2010-01-01 13:00", "2010-01-01 25:00", "2010-01-01 24:00"], [1]),
        (["2020-W53-1", "2019-W53-1", "2020-W01-7"], [1]),
        (["1/13/2010 1:30 PM", "1/14/2010 13:30 PM", "1/15/2010 0:30 AM"], [1]),
        (["201901", "201902", "201913"], [2]),
        (["5 May 2010", "6 Mai 2010", "7 Moi 2010"], [2]),
        (["2019-01-01T00:00Z", "2019-01-02T00:00+25:00", "2019-01-03T00:00+01:00"], [1]),
    ],
)
def test_cells_that_are_no_such_date_are_flagged(cells: list[str], wrong: list[int]) -> None:
    assert np.flatnonzero(judged(cells).moments(cells)[1]).tolist() == wrong


def test_compatible_ways_of_writing_are_one_style() -> None:
    mixed = ["2010-01-01", "2010-01-01T06:00", "2010-01-01 12:00:00", "2010-01-01 12:00:00.5"]
    moments, bad = judged(mixed).moments(mixed)
    assert not bad.any() and (np.diff(moments) > 0).all()
    german = ["5. Mai 2010", "05. Jan. 2010", "6. Juni 2010", "7. OKT. 2010"]
    moments, bad = judged(german).moments(german)
    assert not bad.any()
    french = ["1er janvier 2010", "2 janvier 2010", "3 fevrier 2010"]
    assert not judged(french).moments(french)[1].any()


@pytest.mark.parametrize(
    "cells",
    [["foo", "bar"], ["127.0.0.1"] * 3, ["12-345-678", "23-456-789"], ["99/87/1234", "45/23/9876"],
     ["May", "June"], ["1/2", "3/4"], ["13:00", "14:00"], ["Room 2010", "Room 2011"],
     ["x" * 10_000], ["-", "NA", ""]],
)  # fmt: skip
def test_other_cells_are_no_dates(cells: list[str]) -> None:
    assert dates_of(profile_of(cells)) is None


def test_whole_numbers_are_not_sure_and_known_by_their_size() -> None:
    for cells, pattern, resolution in (
        (["2019", "2020", "2021"], "%Y", "year"),
        (["17", "18", "20"], "number", "number"),
        (["0.02", "0.04", "0.06"], "number", "number"),
        ([1600000000, 1600003600], "%s", "second"),
        ([1600000000.5, 1600003600.0], "%s", "fraction"),
        (["1600000000123", "1600000000223"], "%3s", "fraction"),
        (["43831", "43832"], "serial", "day"),
        (["43831.25", "43831.5"], "serial", "second"),
        (["2014010100", "2014010101"], "%Y%m%d%H", "second"),
        (["201401010030", "201401010100"], "%Y%m%d%H%M", "second"),
    ):
        dates = judged(cells)
        assert (dates.pattern, dates.resolution, dates.sure) == (pattern, resolution, False)
        assert not dates.moments(cells)[1].any()
    assert when(judged(["43831.0416666667", "43831.0833333333"]), "43831.0416666667") == (
        "2020-01-01 01:00:00"
    )
    assert judged(["0.02", "0.04"]).moments(["0.02", "1.5", "-2"])[0].tolist() == [2, 150, -200]


def test_offsets_become_one_time_line() -> None:
    summer = ["2020-10-25T02:30:00+02:00", "2020-10-25T02:30:00+01:00", "2020-10-25T03:30:00+01:00"]
    dates = judged(summer)
    assert np.diff(dates.moments(summer)[0]).tolist() == [date_cells.HOUR] * 2
    assert dates.text(int(dates.moments(summer)[0][0])) == "2020-10-25T00:30:00+00:00"
    assert "in UTC" in dates.told()
    alike = judged(["2020-01-01 13:00:00+0100", "2020-01-02 13:00:00+0100"])
    assert when(alike, "2020-01-01 13:00:00+0100") == "2020-01-01 13:00:00"
    assert when(alike, "2020-01-01 13:00:00Z") == "2020-01-01 14:00:00"
    assert judged(["2020-03-29 01:00 CET", "2020-03-29 03:00 CEST"]).zones_differ


@given(
    start=st.integers(1950, 2040), count=st.integers(3, 40),
    form=st.sampled_from(["{y}H{h}", "{y}-H{h}", "H{h} {y}", "{y}S{h}", "{h}H {y}"]),
)  # fmt: skip
def test_half_years_are_told_by_their_first_month(start: int, count: int, form: str) -> None:
    halves = [(start + k // 2, k % 2 + 1) for k in range(count)]
    cells = [form.format(y=y, h=h) for y, h in halves]
    dates = judged(cells)
    assert dates.resolution == "half" and "half a year" in dates.told()
    assert [when(dates, cell)[:7] for cell in cells] == [f"{y}-{6 * h - 5:02}" for y, h in halves]
    assert [dates.text(int(m)) for m in dates.moments(cells)[0]] == cells


@given(
    hour=st.integers(0, 23), before=st.integers(-11, 13), days=st.integers(3, 40),
    form=st.sampled_from(["2019-{:%m-%d %H:%M:%S}{}", "2019-{:%m-%dT%H:%M}{}"]),
)  # fmt: skip
def test_days_whose_offsets_change_are_those_of_their_clocks(
    hour: int, before: int, days: int, form: str
) -> None:
    """As prices come from New York: 2019-11-01 00:00:00-04:00, 2019-11-04 00:00:00-05:00."""
    walls = [datetime(2019, 10, 20, hour) + timedelta(days=k) for k in range(days)]
    zones = [f"{before - (k > days // 2):+03}:00" for k in range(days)]
    cells = [form.format(wall, zone) for wall, zone in zip(walls, zones, strict=True)]
    dates = judged(cells)
    moments = dates.moments(cells)[0].tolist()
    assert moments == [(wall - datetime(1970, 1, 1)) // timedelta(microseconds=1) for wall in walls]
    assert dates.text(moments[-1]) == cells[-1]
    assert dates.text(moments[-1] + date_cells.DAY).endswith(zones[-1])
    assert "offsets differ" in dates.told()


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.integers(-14 * 60, 14 * 60))
def test_iso_agrees_with_python(moment: datetime, offset: int) -> None:
    zoned = moment.replace(tzinfo=timezone(timedelta(minutes=offset)))
    cell = zoned.isoformat()
    dates = Dates("%Y-%m-%dT%H:%M:%S.%6f%z", zones_differ=True)
    expected = (zoned - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert dates.moments([cell])[0].tolist() == [expected]


KINDS = [
    "{}-01-01 0:00", "{}-01-01 10:00", "{}-1-1 10:00", "{}-02-30 10:00", "x", "", "{}-01-01 x:00",
    "{}-01-01", "{}-12-31 24:00", "２{}-01-01 0:00", " {}-01-01 0:00 ", "{}-xx-01 0:00",
]  # fmt: skip


@given(st.lists(st.sampled_from(KINDS), min_size=60, max_size=300))
@settings(max_examples=50)
def test_cells_are_read_alike_alone_and_together(kinds: list[str]) -> None:
    cells = [kind.format(2000 + place) for place, kind in enumerate(kinds)]  # none comes twice
    dates = Dates("%Y-%m-%d %H:%M")
    moments, bad = dates.moments(cells)
    alone = [dates.moments([cell]) for cell in cells]
    assert moments.tolist() == [int(m[0]) for m, _ in alone]
    assert bad.tolist() == [bool(b[0]) for _, b in alone]


def test_large_blocks_are_read_as_single_cells_are() -> None:
    drawn = np.random.default_rng(0).integers(-(10**9), 4 * 10**9, 1000).astype("M8[s]")
    for pattern, names in (
        ("%-d.%-m.%Y %-H:%M:%S", ()), ("%d %b %Y %I:%M %p", months_as(["Jan"])), ("%G-W%V-%u", ()),
        ("%Y年%-m月%-d日", ()), ("%a, %d %B %y", months_as(["janvier"])),
    ):  # fmt: skip
        dates = Dates(pattern, months=names)
        cells = [dates.text(int(m)) for m in drawn.astype("M8[us]").astype(np.int64)]
        cells[::50] = ["32" + cell[2:] for cell in cells[::50]]
        moments, bad = dates.moments(cells)
        alone = [dates.moments([cell]) for cell in cells]
        assert moments.tolist() == [int(m[0]) for m, _ in alone], pattern
        assert bad.tolist() == [bool(b[0]) for _, b in alone]
        assert (~bad).sum() > 0


def test_the_format_that_the_user_gives_overrules() -> None:
    cells = ["01/02/2010", "01/03/2010", "13/01/2010"]
    dates = judged(cells, "%m/%d/%Y")
    assert dates.moments(cells)[1].tolist() == [False, False, True]
    assert when(dates, "01/02/2010") == "2010-01-02 00:00:00"
    assert "%m/%d/%Y" in dates.told() and dates.sure
    assert dates_of(profile_of(["a", "b"]), "%m/%d/%Y") is None
    assert dates_of(profile_of(["2010-01-01", "2010-01-02"]), "%m/%d/%Y") is None
    assert dates_of(profile_of(["201201", "999999", "17", "18"]), "%Y%m") is None
    mostly = judged(["31/12/2010", "30/12/2010", "01/12/2010"], "%m/%d/%Y")
    assert mostly.moments(["31/12/2010", "01/12/2010"])[1].tolist() == [True, False]
    short = judged(["5 Jan 2010", "6 Jan 2010"], "%d %b %Y")
    assert short.text(short.moments(["7 Oct 2011"])[0][0]) == "7 Oct 2011"
    assert judged(["1600000000"], "%s").resolution == "second"
    clock = judged(["05.01.2010 13:30"], "%d.%m.%Y %R")
    assert when(clock, "05.01.2010 13:30") == "2010-01-05 13:30:00"
    for wrong in ("%d/%m", "%Q", "%d/%d/%Y", "words"):
        with pytest.raises(UserError, match="date_format"):
            dates_of(profile_of(cells), wrong)


def test_damaged_dates_are_refused_in_one_line() -> None:
    for damaged in (
        {"pattern": "%Q"}, {"pattern": "%Y", "months": ["Jan"]}, {"pattern": "%Y", "digits": "01"},
        {}, {"pattern": "number", "most_decimals": 400}, {"pattern": 5},
    ):  # fmt: skip
        with pytest.raises(UserError):
            make(Dates, damaged)


def test_no_name_of_a_month_means_two() -> None:
    for ways in MONTHS.values():
        for way in ways:
            assert [month_of(name) for name in way.split()] == list(range(1, 13))
            assert [month_of(name.upper() + ".") for name in way.split()] == list(range(1, 13))
            assert months_as(way.split()[:4])[:4] == tuple(way.split()[:4])
    assert all(len(way.split()) == 7 for ways in WEEKDAYS.values() for way in ways)


def test_no_date_lies_outside_the_years_1_to_9999() -> None:
    dates = Dates("%Y-%m-%d %H:%M%z", zones_differ=True)
    cells = [
        "0001-01-01 00:00+01:00",
        "9999-12-31 24:00Z",
        "0000-01-01 00:00Z",
        "9999-12-31 23:59Z",
    ]
    assert dates.moments(cells)[1].tolist() == [True, True, True, False]
    assert judged(["1600000000"] * 3).moments(["9" * 18, "9" * 30])[1].all()
    with pytest.raises(UserError, match="9999"):
        dates.text(10**18)
