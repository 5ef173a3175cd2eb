"""What looks like a time is the time, is told, or is asked about: it is never a series."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from elman.data.tables.content import BadRows
from elman.data.time_series import series
from elman.data.time_series.options import SeriesOptions
from elman.data.time_series.series import Collection
from elman.errors import UserError

START = datetime(2021, 1, 1)
DAYS = [START + timedelta(days=k) for k in range(80)]
MONTHS = [datetime(1900 + k // 12, k % 12 + 1, 1) for k in range(60)]
NONE = SeriesOptions(time_column=("none",))


def _read(folder: Path, rows: Sequence[Sequence[object]], options: SeriesOptions | None = None,
          mark: str = ",") -> Collection:  # fmt: skip
    path = folder / "t.csv"
    path.write_text("\n".join(mark.join(map(str, row)) for row in rows) + "\n", encoding="utf-8")
    return series.read([str(path)], options or SeriesOptions(), BadRows(False))


@pytest.mark.parametrize("unit", [1, 1000, 10**6, 10**9])
@pytest.mark.parametrize("name", ["ts", "reading_ts", "epoch_ms", "eventTime", "t", "unix", "x"])
def test_an_epoch_that_is_not_even_is_no_series(tmp_path: Path, name: str, unit: int) -> None:
    chance = random.Random(f"{name}{unit}")
    rows: list[list[object]] = [[name, "device", "temp"]]
    for k in range(60):
        for device in ("a1", "a2"):
            when = 1_609_459_200 + 60 * k + chance.randrange(-20, 20)
            rows.append([when * unit + chance.randrange(unit), device, chance.randrange(99) / 4])
    asked = (
        r'is "x" the time\? .* since 1970; give --time-column'
        if name == "x"
        else "no such time|comes twice"
    )
    with pytest.raises(UserError, match=asked):
        _read(tmp_path, rows)
    assert [one.name for one in _read(tmp_path, rows, NONE).series] == [name, "temp"]


AGAIN: dict[str, Callable[[datetime], object]] = {
    "unix": lambda d: int((d - datetime(1970, 1, 1)).total_seconds()),
    "time_ms": lambda d: int((d - datetime(1970, 1, 1)).total_seconds()) * 1000,
    "excel_date": lambda d: (d - datetime(1899, 12, 30)).days,
    "decimal_year": lambda d: round(d.year + (d.timetuple().tm_yday - 0.5) / 366, 3),
}


@pytest.mark.parametrize("name", AGAIN)
@pytest.mark.parametrize("first", [True, False])
def test_a_second_column_of_the_time_is_told_and_no_series(
    tmp_path: Path, name: str, first: bool
) -> None:
    for dates in (DAYS, [d + timedelta(days=18_628) for d in MONTHS]):
        rows: list[list[object]] = [[name, "date"] if first else ["date", name]]
        rows += [[AGAIN[name](d), d.date()][:: 1 if first else -1] for d in dates]
        rows = [[*row, "close" if k == 0 else k % 7 / 4] for k, row in enumerate(rows)]
        found = _read(tmp_path, rows)
        assert [one.name for one in found.series] == ["close"] and found.options.times == ("date",)
        assert f"dates that are not used: {name}" in "\n".join(found.facts)
    noise = random.Random(name)
    other = [rows[0], *([row[0], noise.random(), row[2]] for row in rows[1:])]
    if not first:
        assert name in [one.name for one in _read(tmp_path, other).series]


def test_a_time_of_day_that_never_changes_is_part_of_the_date(tmp_path: Path) -> None:
    rows: list[list[object]] = [["<DATE>", "<TIME>", "<CLOSE>"]]
    rows += [[f"{d:%Y%m%d}", "000000", k / 4] for k, d in enumerate(DAYS)]
    found = _read(tmp_path, rows)
    assert [one.name for one in found.series] == ["<CLOSE>"]
    assert found.grid is not None and found.grid.name == "daily"


@pytest.mark.parametrize("names", [("Buchungstag", "Valutadatum"), ("booked", "settled")])
@pytest.mark.parametrize("count", [18, 80])
def test_two_dates_of_two_digits_are_no_date_and_time_of_day(
    tmp_path: Path, names: tuple[str, str], count: int
) -> None:
    rows: list[list[object]] = [[*names, "amount"]]
    rows += [[f"{d:%d.%m.%y}", f"{d + timedelta(2):%d.%m.%y}", k / 4]
             for k, d in enumerate(DAYS[:count])]  # fmt: skip
    with pytest.raises(UserError, match=rf"which of {', '.join(names)} are the times\?"):
        _read(tmp_path, rows)
    timed: list[list[object]] = [["day", "time", "v"]]
    timed += [[f"{START:%d.%m.%y}", f"{START + timedelta(minutes=k):%H.%M.%S}", k / 4]
              for k in range(90)]  # fmt: skip
    assert _read(tmp_path, timed).options.times == ("day", "time")


@pytest.mark.parametrize("constant", ["31/10/24 11:00:00", "2024-10-31", "2024-10-31T11:00:00Z"])
def test_a_date_that_never_changes_is_passed_over_and_told(tmp_path: Path, constant: str) -> None:
    rows: list[list[object]] = [["LAST UPDATE", "geo", "TIME_PERIOD", "OBS_VALUE"]]
    rows += [[constant, geo, f"{d:%Y-%m}", k / 4] for geo in ("AT", "BE")
             for k, d in enumerate(MONTHS)]  # fmt: skip
    found = _read(tmp_path, rows)
    assert found.options.times == ("TIME_PERIOD",) and found.options.ids == ("geo",)
    assert "dates that are not used: LAST UPDATE" in "\n".join(found.facts)


@pytest.mark.parametrize("name", ["Month", "Week", "MTU", "Reporting Week", "年月日", "期間"])
def test_a_name_of_time_over_words_that_are_no_dates_is_asked_about(
    tmp_path: Path, name: str
) -> None:
    rows: list[list[object]] = [[name, "sales"]]
    rows += [[f"{k // 12 + 1}-{k % 12 + 1:02}", k / 4] for k in range(36)]
    with pytest.raises(UserError, match=rf"line 2: \"{name}\" is '1-01', no date that is known"):
        _read(tmp_path, rows)
    assert [one.name for one in _read(tmp_path, rows, NONE).series] == ["sales"]


@pytest.mark.parametrize("stem", ["d_", "x", "t", "F", "week.", "Tag "])
@pytest.mark.parametrize(("first", "count"), [(1, 100), (0, 12), (1, 10)])
@pytest.mark.parametrize("rows", [3, 60])
def test_numbered_columns_are_the_steps_of_a_series_a_row(
    tmp_path: Path, stem: str, first: int, count: int, rows: int
) -> None:
    chance = random.Random(f"{stem}{count}{rows}")
    table: list[list[object]] = [["id", "store_id", *(f"{stem}{first + k}" for k in range(count))]]
    values = [[chance.randrange(99) / 4 for _ in range(count)] for _ in range(rows)]
    table += [[f"FOODS_{k}", "CA_1", *row] for k, row in enumerate(values)]
    found = _read(tmp_path, table)
    assert found.options.layout == "rows" and found.options.ids == ("id",)
    assert [one.y.tolist() for one in found.series] == values
    kept = series.read([str(tmp_path / "t.csv")], found.options, BadRows(False), found.reading)
    assert [one.y.tolist() for one in kept.series] == values
    few = [row[:2] + row[2 : 2 + chance.randrange(3, 10)] for row in table]
    few = [row[: len(few[0])] for row in few]
    width = min(map(len, few))
    with pytest.raises(UserError, match="--layout rows, or --layout wide"):
        _read(tmp_path, [row[:width] for row in few])
    asked = _read(tmp_path, [row[:width] for row in few], SeriesOptions(layout="rows"))
    assert [one.y.tolist() for one in asked.series] == [row[: width - 2] for row in values]


def test_numbered_columns_beside_a_time_are_series(tmp_path: Path) -> None:
    names = [f"s_{k}" for k in range(1, 13)]
    rows: list[list[object]] = [["time", *names]]
    rows += [[k, *(k % (c + 2) for c in range(12))] for k in range(40)]
    assert [one.name for one in _read(tmp_path, rows).series] == names
    assert [one.name for one in _read(tmp_path, [row[1:] for row in rows]).series] == names


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("daily", [False, True])
@pytest.mark.parametrize("mark", [";", ",", "\t"])
def test_years_and_months_without_names_are_the_times(
    tmp_path: Path, turned: bool, daily: bool, mark: str
) -> None:
    whens = DAYS if daily else MONTHS
    rows: list[list[object]] = []
    for k, d in enumerate(whens):
        year = f"{d.year + (d.timetuple().tm_yday - 0.5) / 366:.3f}"
        day = [f"{d.day:02}"] if daily else []
        rows.append([d.year, f"{d.month:02}", *day, year, k % 7 + 0.3, -1])
    found = _read(tmp_path, rows[:: -1 if turned else 1], mark=mark)
    first = 4 if daily else 3
    assert found.options.times == tuple(map(str, range(1, first)))
    assert [one.name for one in found.series] == [str(first + 1), str(first + 2)]
    assert found.grid is not None and found.grid.name == ("daily" if daily else "monthly")
    assert found.series[0].y.tolist() == [k % 7 + 0.3 for k in range(len(whens))]
    mixed = [[row[0], row[1] if k % 9 else 77, *row[2:]] for k, row in enumerate(rows)]
    assert _read(tmp_path, mixed, mark=mark).grid is None


def test_a_gap_names_the_order_of_day_and_month_that_was_assumed(tmp_path: Path) -> None:
    days = [START + timedelta(days=k) for k in [*range(12), *range(31, 36)]]
    rows: list[list[object]] = [["date", "v"]]
    rows += [[f"{d:%d/%m/%Y}", k] for k, d in enumerate(days) if d.day <= 12]
    with pytest.raises(
        UserError, match=r"rows of .* missing after .*--date-format %m/%d/%Y if not"
    ):
        _read(tmp_path, rows)
    rows = [["date", "v"]]
    rows += [[f"{d:%Y-%m-%d}", k] for k, d in enumerate(days)]
    with pytest.raises(UserError, match="missing after") as error:
        _read(tmp_path, rows)
    assert "--date-format" not in str(error.value)


def test_a_column_called_date_is_asked_about_even_beside_dates(tmp_path: Path) -> None:
    rows: list[list[object]] = [["Datum", "created", "v"]]
    rows += [[f"{k // 12 + 1}-{k % 12 + 1:02}", d.date(), k / 4] for k, d in enumerate(DAYS)]
    with pytest.raises(UserError, match=r"\"Datum\" is '1-01', no date that is known"):
        _read(tmp_path, rows)
    assert _read(tmp_path, rows, SeriesOptions(time_column=("created",))).grid is not None


@pytest.mark.parametrize("count", [90, 3000])
def test_one_day_with_times_of_day_is_no_constant_date(tmp_path: Path, count: int) -> None:
    rows: list[list[object]] = [["date", "time", "epoch", "v"]]
    whens = [START + timedelta(seconds=20 * k) for k in range(count)]
    rows += [[d.date(), f"{d:%H:%M:%S}", k, k % 7 / 4] for k, d in enumerate(whens)]
    found = _read(tmp_path, rows)
    assert found.options.times == ("date", "time")
    assert [one.name for one in found.series] == ["v"]


def test_a_packed_month_beside_year_and_month_is_no_series(tmp_path: Path) -> None:
    rows: list[list[object]] = [["year", "month", "month_key", "v"]]
    rows += [[d.year, d.month, f"{d:%Y%m}", k % 7 / 4] for k, d in enumerate(MONTHS)]
    found = _read(tmp_path, rows)
    assert found.options.times == ("year", "month")
    assert [one.name for one in found.series] == ["v"]
    assert "dates that are not used: month_key" in "\n".join(found.facts)
