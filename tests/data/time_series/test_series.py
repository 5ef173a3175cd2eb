"""Series read from every layout; gaps, and everything else that is wrong, told by line."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman.data.tables.content import BadRows
from elman.data.time_series import series
from elman.data.time_series.options import Fill, SeriesOptions
from elman.data.time_series.series import Collection
from elman.errors import UserError

MONTHS = [f"{1990 + k // 12}-{k % 12 + 1:02}" for k in range(30)]
VALUES = {"north": [float(k % 7 + 0.5) for k in range(30)], "süd": [3.0 - k for k in range(30)]}


def _read(path: Path, text: str, reading: SeriesOptions | None = None, *, skip: bool = False
          ) -> Collection:  # fmt: skip
    path.write_text(text, encoding="utf-8")
    return series.read([str(path)], reading or SeriesOptions(), BadRows(skip))


def _table(rows: Sequence[Sequence[object]]) -> str:
    return "\n".join(",".join(map(str, row)) for row in rows) + "\n"


def _wide() -> list[list[object]]:
    return [["month", *VALUES], *[[m, *[v[k] for v in VALUES.values()]] for k, m in
                                  enumerate(MONTHS)]]  # fmt: skip


def test_wide_long_rows_and_json_hold_the_same_series(tmp_path: Path) -> None:
    long = [["unique_id", "ds", "y"]]
    long += [[n, m, str(v)] for n, vs in VALUES.items() for m, v in zip(MONTHS, vs, strict=True)]
    rows = [["V1", *[f"V{k + 2}" for k in range(33)]]]
    rows += [[n, *map(str, vs), "", "", ""] for n, vs in VALUES.items()]
    headed = [["name", *MONTHS], *[[n, *map(str, vs)] for n, vs in VALUES.items()]]
    objects = "\n".join(json.dumps(dict(zip(long[0], row, strict=True))) for row in long[1:])
    found = [
        _read(tmp_path / "wide.csv", _table(_wide())),
        _read(tmp_path / "long.csv", _table(long)),
        _read(tmp_path / "rows.csv", _table(rows)),
        _read(tmp_path / "long.jsonl", objects),
        _read(tmp_path / "headed.csv", _table(headed)),
    ]
    for one in found:
        assert {s.name: s.y.tolist() for s in one.series} == VALUES
    grids = [one.grid for one in found]
    assert grids[0] == grids[1] == grids[3] == grids[4] and found[2].grid is None
    assert found[0].grid is not None and found[0].grid.name == "monthly"
    assert found[1].series[0].places.tolist() == found[0].series[0].places.tolist()
    assert [one.form for one in found] == ["csv", "csv", "csv", "json", "csv"]
    assert found[0].id_columns == ("unique_id",) and found[0].time_columns == ("month",)
    assert found[4].id_columns == ("name",)


def test_a_column_alone_and_numbers_without_a_header_are_series(tmp_path: Path) -> None:
    alone = _read(tmp_path / "one.csv", "Y\n3\n1\n2\n")
    assert [(s.name, s.y.tolist()) for s in alone.series] == [("Y", [3, 1, 2])]
    bare = _read(tmp_path / "bare.csv", "3.5,1\n1.5,2\n2.5,1\n")
    assert [s.name for s in bare.series] == ["1", "2"] and alone.grid is bare.grid is None


def test_covariates_go_with_their_series_and_may_reach_ahead(tmp_path: Path) -> None:
    rows = [["day", "y", "rain", "holiday", "shop"]]
    rows += [[f"2024-01-{k:02}", str(k), str(10 - k), str(k % 2), "north"] for k in range(1, 9)]
    rows += [[f"2024-01-{k:02}", "", "", str(k % 2), ""] for k in (9, 10)]
    how = SeriesOptions(
        past_columns=("rain",), future_columns=("holiday",), static_columns=("shop",)
    )  # fmt: skip
    (one,) = _read(tmp_path / "d.csv", _table(rows), how).series
    assert len(one) == 8 and len(one.places) == 10
    assert one.past[:, 0].tolist() == [10.0 - k for k in range(1, 9)]
    assert one.future[:, 0].tolist() == [float(k % 2) for k in range(1, 11)]
    assert one.static == ("north",)


@pytest.mark.parametrize(
    ("fill", "filled"),
    [
        ("previous", [1, 1, 1, 4, 4, 6]),
        ("linear", [1, 2, 3, 4, 5, 6]),
        ("zero", [1, 0, 0, 4, 0, 6]),
    ],
)
def test_gaps_are_filled_as_asked_and_refused_where_they_are_many(
    tmp_path: Path, fill: Fill, filled: list[float]
) -> None:
    # Two days are missing, one value is; what is empty at both ends is no gap.
    text = (
        "ds,y\n2024-01-01,\n2024-01-02,1\n2024-01-05,4\n2024-01-06,NA\n2024-01-07,6\n2024-01-08,\n"
    )
    found = _read(tmp_path / "g.csv", text, SeriesOptions(fill=fill))
    assert found.series[0].y.tolist() == filled and found.filled == 3 and found.longest == 2
    assert (
        found.grid is not None and found.grid.text(int(found.series[0].places[0])) == "2024-01-02"
    )
    told = r'line 4: 2 rows of "y" missing after 2024-01-02; 3 of 6 are too many .*: give --fill'
    with pytest.raises(UserError, match=told):
        _read(tmp_path / "g.csv", text)


@given(
    st.integers(60, 90),
    st.lists(st.tuples(st.integers(1, 58), st.integers(1, 5)), max_size=2),
    st.booleans(),
)
def test_short_gaps_are_filled_on_a_line_and_long_ones_refused(
    days: int, gaps: list[tuple[int, int]], rows: bool
) -> None:
    """Whether rows are missing or their values."""
    gone = {day for start, length in gaps for day in range(start, min(start + length, days - 1))}
    lines = ["ds,y"]
    for k in range(days):
        day = np.datetime64("2024-01-01") + k
        if k not in gone:
            lines.append(f"{day},{2 * k + 1}")
        elif not rows:
            lines.append(f"{day},NA")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "g.csv")
        runs = "".join("x" if k in gone else " " for k in range(days)).split()
        longest = max(map(len, runs), default=0)
        if longest > 3 or len(gone) > 0.1 * days:
            with pytest.raises(UserError, match=r"g\.csv, line \d+: .*give --fill"):
                _read(path, "\n".join(lines))
            return
        found = _read(path, "\n".join(lines))
    assert found.series[0].y.tolist() == pytest.approx([2 * k + 1 for k in range(days)])
    assert (found.filled, found.longest) == (len(gone), longest)


DAY = date(2020, 1, 22)
HEADS = {
    "days": [f"{d.month}/{d.day}/20" for d in (DAY + timedelta(k) for k in range(40))],
    "years": [str(1980 + k) for k in range(40)],
    "a bank's years": [f"{1980 + k} [YR{1980 + k}]" for k in range(40)],
    "months": [f"{2000 + k // 12}-{1 + k % 12:02}" for k in range(40)],
    "R's years": [f"X{1980 + k}" for k in range(40)],
}


@pytest.mark.parametrize("kind", HEADS)
def test_times_in_the_header_are_those_of_a_series_a_row(tmp_path: Path, kind: str) -> None:
    """With columns beside them that name a row together, and others; some values are missing."""
    rows: list[list[object]] = [["Land", "Was", "Lat", *HEADS[kind], ""]]
    for land, lat in (("Avalon", 33.5), ("Borduria", -4.25)):
        for what in ("GDP", "POP"):
            values = ["" if k < 3 else len(land) + len(what) + k for k in range(40)]
            values[20] = ".."
            rows.append([land, what, lat, *values, ""])
    found = _read(tmp_path / "h.csv", _table(rows))
    assert [one.ids for one in found.series] == [
        ("Avalon", "GDP"), ("Avalon", "POP"), ("Borduria", "GDP"), ("Borduria", "POP")
    ]  # fmt: skip
    assert found.series[3].y.tolist() == [11.0 + k for k in range(3, 40)] and found.filled == 4
    assert found.grid is not None and "not used: Lat" in " ".join(found.facts)
    known = {"days": "daily", "months": "monthly"}
    assert found.grid.name == known.get(kind, "yearly")
    # Read again as it was, with one more column and in another order.
    again = [[row[2], *row[3:-1], row[0], row[1]] for row in rows]
    (tmp_path / "a.csv").write_text(_table(again), encoding="utf-8")
    other = series.read([str(tmp_path / "a.csv")], found.options, BadRows(False), found.reading)
    assert [one.y.tolist() for one in other.series] == [one.y.tolist() for one in found.series]


WRONG = {
    "comes twice": "ds,y\n2024-01-01,1\n2024-01-02,2\n2024-01-02,3\n",
    "'x', not a number": "ds,y\n2024-01-01,1\n2024-01-02,2\n2024-01-03,x\n",
    "'inf', not a finite number": "ds,y\n2024-01-01,1\n2024-01-02,2\n2024-01-03,inf\n",
    "needs a date as 2024-01-01": "ds,y\n2024-01-01,1\n2024-01-02,2\n3 Jan 2024,3\n",
    "no such time follows": "ds,y\n2024-01-01 00:00,1\n2024-01-01 01:00,2\n2024-01-01 02:07,3\n"
    "2024-01-01 03:07,3\n2024-01-01 04:07,3\n",
}


@pytest.mark.parametrize("what", WRONG)
def test_a_row_that_is_wrong_is_told_by_its_line_or_left_out(tmp_path: Path, what: str) -> None:
    with pytest.raises(UserError, match=rf"w\.csv, line 4: .*{what}.*--(skip-bad-rows|duplicates)"):
        _read(tmp_path / "w.csv", WRONG[what])
    if what != "no such time follows":
        bad = BadRows(skip=True)
        found = series.read([str(tmp_path / "w.csv")], SeriesOptions(fill="linear"), bad)
        assert bad.count == 1 and len(found.series[0]) in (2, 3)


def test_a_missing_column_is_told_with_its_near_match(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'unknown column "nort"; did you mean "north"'):
        _read(tmp_path / "w.csv", _table(_wide()), SeriesOptions(target=("nort",)))
    with pytest.raises(UserError, match="no column of numbers"):
        _read(tmp_path / "t.csv", "word,other\nup,left\ndown,right\n")
    with pytest.raises(UserError, match="give --target"):
        _read(tmp_path / "l.csv", "unique_id,ds,a,b\nn,2024-01,1,2\nn,2024-02,1,3\n")


def test_a_continuation_follows_where_its_series_ends(tmp_path: Path) -> None:
    first = _read(tmp_path / "a.csv", _table(_wide()[:21]))
    after = _read(tmp_path / "b.csv", _table([_wide()[0], *_wide()[21:]]))
    whole, lengths = series.joined(first, after, "b.csv")
    assert {s.name: s.y.tolist() for s in whole.series} == VALUES and lengths == [20, 20]
    assert (np.diff(whole.series[0].places) == 1).all()
    with pytest.raises(UserError, match="does not go on after 1991-08"):
        series.joined(first, _read(tmp_path / "c.csv", _table([_wide()[0], *_wide()[23:]])), "c")
    alone = SeriesOptions(target=("north",))
    with pytest.raises(UserError, match='does not continue the series "süd"'):
        series.joined(
            first, _read(tmp_path / "b.csv", (tmp_path / "b.csv").read_text(), alone), "b"
        )


def test_a_time_is_found_in_a_series_by_date_or_by_number(tmp_path: Path) -> None:
    found = _read(tmp_path / "a.csv", _table(_wide()))
    assert series.place_of(found, found.series[0], "1990-01", "--until") == 0
    assert series.place_of(found, found.series[0], "1991-02-01", "--until") == 13
    with pytest.raises(UserError, match="--until 7: needs a date as 1990-01"):
        series.place_of(found, found.series[0], "7", "--until")
    bare = _read(tmp_path / "one.csv", "Y\n3\n1\n2\n")
    assert series.place_of(bare, bare.series[0], "3", "--until") == 2


def test_files_that_do_not_fit_one_another_are_told(tmp_path: Path) -> None:
    months, days = tmp_path / "m.csv", tmp_path / "d.csv"
    months.write_text("ds,y\n2024-01,1\n2024-02,2\n2024-03,2\n")
    days.write_text("ds,z\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n")
    with pytest.raises(UserError, match=r"d\.csv: other dates or another frequency than in .*m\.c"):
        series.read([str(months), str(days)], SeriesOptions(), BadRows(False))
    with pytest.raises(UserError, match='the series "y" comes twice'):
        series.read([str(months), str(months)], SeriesOptions(), BadRows(False))


def test_a_gap_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    text = "ds,y\n2024-01-01 00:00:00,1\n2024-01-01 00:00:01,2\n2024-01-01 00:00:02,2\n"
    path = tmp_path / "g.csv"
    with pytest.raises(UserError, match='"y" has gaps of 31,622,397 values in all'):
        _read(path, text + "2025-01-01 00:00:00,3\n", SeriesOptions(fill="zero"))
    assert (
        len(_read(path, text + "2024-01-01 01:00:00,3\n", SeriesOptions(fill="zero")).series[0])
        == 3601
    )


def test_what_is_known_ahead_is_filled_ahead(tmp_path: Path) -> None:
    text = "ds,y,sale\n2024-01-01,1,0\n2024-01-02,2,\n2024-01-03,,4\n2024-01-05,,6\n"
    how = SeriesOptions(target=("y",), future_columns=("sale",), fill="linear")
    (one,) = _read(tmp_path / "f.csv", text, how).series
    assert one.y.tolist() == [1, 2] and one.future[:, 0].tolist() == [0, 2, 4, 5, 6]
