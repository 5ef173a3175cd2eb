"""One table in every style of dates, order of rows, frequency and layout is the same series."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.tables.content import BadRows
from elman.data.time_series import series
from elman.data.time_series.options import SeriesOptions
from elman.data.time_series.series import Collection
from elman.errors import UserError

N = 60
FIRST = datetime(2018, 1, 1)
HOLIDAYS = {datetime(2018, 1, 15), datetime(2018, 3, 30), datetime(2018, 4, 2)}


def _months(step: int) -> list[datetime]:
    return [datetime(2010 + step * k // 12, step * k % 12 + 1, 1) for k in range(N + 2)]


def _sessions() -> list[datetime]:
    days = (FIRST + timedelta(days=k) for k in range(120))
    return [d for d in days if d.weekday() < 5 and d not in HOLIDAYS][: N + 2]


TIMES: dict[str, list[datetime]] = {
    "hourly": [FIRST + timedelta(hours=k) for k in range(N + 2)],
    "every 10 minutes": [FIRST + timedelta(minutes=10 * k) for k in range(N + 2)],
    "daily": [FIRST + timedelta(days=k) for k in range(N + 2)],
    "weekly": [FIRST + timedelta(days=7 * k) for k in range(N + 2)],
    "on working days": _sessions(),
    "monthly": _months(1),
    "quarterly": _months(3),
    "yearly": _months(12),
}
STYLES: dict[str, Callable[[datetime], str]] = {
    pattern: (lambda when, pattern=pattern: when.strftime(pattern))  # type: ignore[misc]
    for pattern in (
        "%Y-%m-%d",
        "%d/%m/%Y",
        "%m/%d/%Y",
        "%d.%m.%Y",
        "%d-%m-%Y",
        "%Y/%m/%d",
        "%Y%m%d",
        "%d %b %Y",
        "%B %d, %Y",
        "%Y年%m月%d日",
        "%d.%m.%y",
    )
}
CLOCKS = (" %H:%M", " %H:%M:%S", "T%H:%M:%S", "T%H:%M:%SZ")


def _texts(frequency: str, pattern: str, clock: str) -> list[str]:
    written = STYLES[pattern]
    fine = frequency in ("hourly", "every 10 minutes")
    return [written(t) + (t.strftime(clock) if fine else "") for t in TIMES[frequency]]


def _rows(layout: str, texts: list[str]) -> list[list[str]]:
    """Two series, at + 2 k and - k; the last two times are left out."""
    quoted = [f'"{text}"' for text in texts[:N]]
    both = [("1", "x", 2), ("2", "y", -1)]
    if layout == "wide":
        return [["stamp", "up", "down"], *[[d, str(2 * k), str(-k)] for k, d in enumerate(quoted)]]
    if layout == "long":
        head = ["code", "stamp", "value"]
        rows = [[b, d, str(by * k)] for _, b, by in both for k, d in enumerate(quoted)]
        return [head, *rows]
    head = ["stamp", "store", "item", "sold"]
    rows = [
        [d, store, item, str(by * k + len(store + item))]
        for k, d in enumerate(quoted)
        for store in "12"
        for _, item, by in both
    ]
    return [head, *rows]


def _read(rows: list[list[str]]) -> Collection:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        path.write_text("\n".join(map(",".join, rows)) + "\n", encoding="utf-8")
        return series.read([str(path)], SeriesOptions(), BadRows(False))


@settings(max_examples=120)
@given(
    st.sampled_from(sorted(TIMES)), st.sampled_from(sorted(STYLES)), st.sampled_from(CLOCKS),
    st.sampled_from(["as it is", "newest first", "shuffled"]),
    st.sampled_from(["wide", "long", "two ids"]), st.integers(0, 99),
)  # fmt: skip
def test_every_style_order_frequency_and_layout_is_read_alike(
    frequency: str, pattern: str, clock: str, order: str, layout: str, seed: int
) -> None:
    if frequency in ("hourly", "every 10 minutes") and pattern == "%Y%m%d" and "T" in clock:
        clock = " %H:%M"
    texts = _texts(frequency, pattern, clock)
    head, *rows = _rows(layout, texts)
    if order == "newest first":
        rows = rows[::-1]
    elif order == "shuffled":
        rows = [rows[k] for k in np.random.default_rng(seed).permutation(len(rows))]
    found = _read([head, *rows])
    assert found.grid is not None and found.grid.name == frequency
    assert len(found.series) == (4 if layout == "two ids" else 2)
    by_name = {one.name: one for one in found.series}
    rising = by_name[{"wide": "up", "long": "x", "two ids": "1/x"}[layout]]
    shift = 2 if layout == "two ids" else 0
    assert rising.y.tolist() == [2 * k + shift for k in range(N)]
    places = series.places_to(rising, found.grid, N + 2)
    if frequency == "on working days":  # a holiday to come is not known
        assert [found.grid.text(int(p)) for p in places[:N]] == texts[:N]
    else:
        assert [found.grid.text(int(p)) for p in places] == texts
    told = " ".join(found.facts)
    assert ("newest first" in told) == (order == "newest first")
    assert ("out of order" in told) == (order == "shuffled")


@given(st.integers(3, 40), st.integers(0, 10_000), st.booleans())
def test_times_that_come_twice_are_an_error_or_joined_as_asked(
    count: int, seed: int, wide: bool
) -> None:
    draw = np.random.default_rng(seed)
    days = np.datetime64("2020-01-01") + np.arange(count)
    rows = [["ds", "y"]] + [[str(d), str(k)] for k, d in enumerate(days)]
    again = int(draw.integers(0, count))
    rows.append([str(days[again]), "100"])
    with pytest.raises(UserError, match=rf"line {count + 2}: {days[again]} comes twice") as told:
        _read(rows)
    assert f"in line {again + 2} too" in str(told.value)
    want = {"sum": again + 100, "mean": (again + 100) / 2, "last": 100}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        path.write_text("\n".join(map(",".join, rows)) + "\n")
        for how, value in want.items():
            options = SeriesOptions(duplicates=how)  # type: ignore[arg-type]
            (one,) = series.read([str(path)], options, BadRows(False)).series
            expected = [float(k) for k in range(count)]
            expected[again] = value
            assert one.y.tolist() == expected


def _hours(first: str, count: int, skipped: str, twice: str, step: int = 60) -> list[str]:
    made = []
    for k in range(count):
        when = datetime.fromisoformat(first) + timedelta(minutes=step * k)
        text = when.strftime("%Y-%m-%d %H:%M")
        if text.startswith(skipped):
            continue
        made.append(text)
    hour = [text for text in made if text.startswith(twice)]
    place = made.index(hour[-1]) + 1
    return made[:place] + hour + made[place:]


@pytest.mark.parametrize("step", [60, 30, 15])
def test_hours_of_daylight_saving_are_averaged_and_filled(step: int) -> None:
    per_day = 24 * 60 // step
    texts = _hours("2019-03-01 00:00", 250 * per_day, "2019-03-31 02", "2019-10-27 02", step)
    rows = [["ds", "load"], *[[text, str(k % 5)] for k, text in enumerate(texts)]]
    found = _read(rows)
    (one,) = found.series
    assert len(one) == 250 * per_day and found.filled == 60 // step
    told = "hours that come twice, as the clocks are put back, are averaged: 2019-10-27 02:00"
    assert told in found.facts
    first = texts.index("2019-10-27 02:00")
    place = first + 60 // step
    pair = (first % 5 + (first + 60 // step) % 5) / 2
    assert one.y[place] == pair


def test_other_hours_that_come_twice_are_errors() -> None:
    for twice in ("2019-05-07 14", "2019-03-10 02:30"):
        texts = _hours("2019-03-01 00:00", 4000, "none", twice[:13], 30)
        if len(twice) > 13:
            texts.remove(twice)  # only half of the hour comes twice
        with pytest.raises(UserError, match="comes twice"):
            _read([["ds", "load"], *[[text, "1"] for text in texts]])


def test_series_of_one_table_come_equally_often() -> None:
    rows = [["unique_id", "ds", "y"]]
    rows += [["days", str(np.datetime64("2020-01-01") + k), "1"] for k in range(200)]
    rows += [["months", f"{2018 + k // 12}-{k % 12 + 1:02}-01", "1"] for k in range(30)]
    with pytest.raises(UserError, match=r't\.csv: "days" is daily, "months" is monthly; series of'):
        _read(rows)
    rows += [[f"years {n}", f"{2000 + k}-01-01", "1"] for n in (1, 2) for k in range(9)]
    more = '"days" is daily, "months" is monthly, "years 1" and 1 more are yearly; series of'
    with pytest.raises(UserError, match=more):
        _read(rows)
    wide = [["ds", "days", "months"]]
    for k in range(400):
        day = np.datetime64("2020-01-01") + k
        wide.append([str(day), "1", "2" if str(day).endswith("-01") else ""])
    with pytest.raises(UserError, match='"days" is daily, "months" is monthly'):
        _read(wide)
