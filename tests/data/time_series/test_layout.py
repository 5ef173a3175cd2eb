"""Columns are judged whole: what they are for is found and told, or asked for, never passed by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from elman.data.tables.content import BadRows
from elman.data.time_series import series
from elman.data.time_series.options import SeriesOptions
from elman.data.time_series.series import Collection
from elman.errors import UserError

HOURS = [datetime(2021, 1, 12) + timedelta(hours=k) for k in range(80)]
DAYS = [datetime(2021, 1, 1) + timedelta(days=k) for k in range(80)]
NONE = SeriesOptions(time_column=("none",))


def _read(folder: Path, rows: Sequence[Sequence[object]], options: SeriesOptions | None = None
          ) -> Collection:  # fmt: skip
    path = folder / "t.csv"
    path.write_text("\n".join(",".join(map(str, row)) for row in rows) + "\n", encoding="utf-8")
    return series.read([str(path)], options or SeriesOptions(), BadRows(False))


class Kind(NamedTuple):
    """A table, its series and times, and what is told."""

    rows: Sequence[Any]
    names: list[str]
    times: tuple[str, ...]
    told: str


FOUND: dict[str, Kind] = {
    "parts of the date": Kind(
        [["date", "year", "month", "day", "dow", "sales"]]
        + [[d.date(), d.year, d.month, d.day, d.isoweekday(), k] for k, d in enumerate(DAYS)],
        ["sales"], ("date",), "part of the time, and no targets: year, month, day, dow"),
    "a month that is a value": Kind(
        [["date", "month", "sales"]] + [[d.date(), 7, k] for k, d in enumerate(DAYS)],
        ["month", "sales"], ("date",), "values from month, sales"),
    "a date and a time": Kind(
        [["Date", "Time", "v"]] + [[f"{t:%d/%m/%Y}", f"{t:%H:%M}", 1.5] for t in HOURS],
        ["v"], ("Date", "Time"), "times from columns Date, Time (day/month/year)"),
    "a year and a month by name": Kind(
        [["Year", "Month", "v"]] + [[2010 + k // 12, f"{datetime(2000, k % 12 + 1, 1):%b}", k]
                                    for k in range(60)],
        ["v"], ("Year", "Month"), "times from columns Year, Month"),
    "ids that count up": Kind(
        [["id", "date", "v"]] + [[k + 1, d.date(), k] for k, d in enumerate(DAYS)],
        ["v"], ("date",), 'passed over: "id", the row number'),
    "a second date": Kind(
        [["shipped", "date", "v"]]
        + [[(d + timedelta(2)).date(), d.date(), k] for k, d in enumerate(DAYS)],
        ["v"], ("date",), "dates that are not used: shipped; the times are those of \"date\""),
    "ids under any name": Kind(
        [["day", "a", "b", "v"]]
        + [[d.date(), a, b, 0.5] for d in DAYS for a in (1, 2) for b in "xy"],
        ["1/x", "1/y", "2/x", "2/y"], ("day",), "series named by a, b"),
    "series that do not overlap": Kind(
        [["ticker", "day", "v"]] + [["A" if k < 40 else "B", d.date(), k]
                                    for k, d in enumerate(DAYS)],
        ["A", "B"], ("day",), "series named by ticker"),
    "years under no name of time": Kind(
        [["Jahrgang", "v"]] + [[1950 + k, k % 5] for k in range(50)],
        ["v"], ("Jahrgang",), 'times from column "Jahrgang"'),
    "values that could be years": Kind(
        [["v"]] + [[1900 + (k * 37) % 200] for k in range(50)], ["v"], (), "no column of times"),
    "steps that come again": Kind(
        [["unit", "step", "v"]] + [[u, k, k % 4] for u in "pq" for k in range(40)],
        ["p", "q"], ("step",), "series named by unit"),
    "no value on the first days": Kind(
        [["date", "pm2.5", "TEMP"]] + [[d.date(), "NA" if k < 30 else 2, k]
                                       for k, d in enumerate(DAYS)],
        ["pm2.5", "TEMP"], ("date",), "values from pm2.5, TEMP"),
    "truth": Kind(
        [["date", "open"]] + [[d.date(), k % 2 == 0] for k, d in enumerate(DAYS)],
        ["open"], ("date",), "True is 1"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FOUND)
def test_roles_of_columns_are_found_and_told(tmp_path: Path, kind: str) -> None:
    rows, names, times, told = FOUND[kind]
    found = _read(tmp_path, rows)
    assert [one.name for one in found.series] == names
    assert found.options.times == times
    assert told in "\n".join(found.facts)
    # The same by name, and read again as it was.
    again = _read(tmp_path, rows, SeriesOptions(time_column=times or ("none",)))
    assert [one.y.tolist() for one in again.series] == [one.y.tolist() for one in found.series]
    kept = series.read([str(tmp_path / "t.csv")], found.options, BadRows(False), found.reading)
    assert [one.y.tolist() for one in kept.series] == [one.y.tolist() for one in found.series]


ASKED: dict[str, tuple[Sequence[Any], str]] = {
    "two that are as good": (
        [["order_date", "ship_date", "n"]]
        + [[d.date(), (d + timedelta(2)).date(), k] for k, d in enumerate(DAYS)],
        r"t\.csv: which of order_date, ship_date are the times\? give --time-column"),
    "a name of time, and none": (
        [["date", "n"]] + [[f"day {k}", k] for k in range(50)],
        r"line 2: \"date\" is 'day 0', no date that is known; .*--date-format.*--time-column none"),
    "most are dates": (
        [["seen", "n"]] + [[d.date() if k % 4 else "soon", k] for k, d in enumerate(DAYS)],
        r"line 2: \"seen\" is 'soon', no date that is known"),
    "one is none": (
        [["seen", "n"]] + [[d.date() if k != 70 else "Total", k] for k, d in enumerate(DAYS)],
        r"line 72: \"seen\" is 'Total'; needs a date as 2021-01-01 \(ISO 8601\)"),
    "times come again, and nothing tells rows apart": (
        [["day", "note", "n"]] + [[d.date(), "x" if k % 3 else "z", 0.5] for d in DAYS
                                  for k in range(3)],
        r"the times of \"day\" come again, such as 2021-01-01; .*--id-column \(of note\).*--dupl"),
    "numbers of a timestamp come again": (
        [["timestamp", "n"]] + [[k % 9, k] for k in range(50)],
        r"is \"timestamp\" the time\? Its numbers come again"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ASKED)
def test_what_cannot_be_told_is_asked(tmp_path: Path, kind: str) -> None:
    rows, told = ASKED[kind]
    with pytest.raises(UserError, match=told) as error:
        _read(tmp_path, rows)
    assert "\n" not in str(error.value)
    if kind not in ("times come again, and nothing tells rows apart", "one is none"):
        assert _read(tmp_path, rows, NONE).grid is None


def test_none_and_sums_overrule_what_would_be_found(tmp_path: Path) -> None:
    rows: list[list[object]] = [["date", "store", "sold"]]
    rows += [[d.date(), store, 2 + k] for k, d in enumerate(DAYS) for store in ("N", "S")]
    whole = SeriesOptions(id_column=("none",), duplicates="sum")
    (one,) = _read(tmp_path, rows, whole).series
    assert one.name == "sold" and one.y.tolist() == [2.0 * (2 + k) for k in range(80)]
    by_store = _read(tmp_path, rows).series
    assert [s.name for s in by_store] == ["N", "S"] and by_store[0].ids == ("N",)
    with pytest.raises(UserError, match="comes twice"):
        _read(tmp_path, rows, SeriesOptions(id_column=("none",)))


@pytest.mark.parametrize(
    "form", ["{d.day}-{d:%b}", "{d:%b} {d.day}", "{d:%B}-{d.day}", "{d:%d. %B}"]
)
def test_dates_without_a_year_are_asked_about(tmp_path: Path, form: str) -> None:
    rows = [["when it was", "v"], *([form.format(d=d), f"{k}.5"] for k, d in enumerate(DAYS[:25]))]
    with pytest.raises(UserError, match=r'line 2: "when it was" is .* without its year'):
        _read(tmp_path, rows)
    assert len(_read(tmp_path, rows, NONE).series) == 1
