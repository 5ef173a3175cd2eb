"""The small inputs of ../shared/cases, each a kind of its own, are read as their page says."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import NamedTuple

import pytest
from calling import call

from elman.data.labelled import files as labelled
from elman.data.labelled.roles import LabelRoles
from elman.data.tables.content import BadRows
from elman.data.time_series import series
from elman.data.time_series.options import SeriesOptions
from elman.errors import UserError
from elman.tasks.forecast import reading
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.forecast.task import TASK

CASES = Path(__file__).parents[2] / "shared" / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="without the small inputs")


class Right(NamedTuple):
    """What is right of a table of series: its first series, and what comes after it."""

    frequency: str
    season: int
    series: dict[str, int]  # names and lengths
    first: str
    last: str
    following: str  # as `predict` writes it
    told: tuple[str, ...] = ()  # words of the page before training


def _monthly(first: str, last: str, following: str, *told: str, name: str = "sales") -> Right:
    return Right("monthly", 12, {name: 120}, first, last, following, told)


SERIES: dict[str, Right] = {
    "dmy.csv": _monthly("01/01/2010", "01/12/2019", "01/01/2020", "day/month/year"),
    "zhdate2.csv": _monthly("2010年1月1日", "2019年12月1日", "2020年1月1日", name="销量"),
    "mon.csv": _monthly("Jan-10", "Dec-19", "Jan-20"),
    "iso.csv": Right("hourly", 24, {"sales": 400}, "2020-01-01T00:00:00Z", "2020-01-17T15:00:00Z",
                     "2020-01-17T16:00:00Z"),
    "desc.csv": _monthly("01/01/2010", "01/12/2019", "01/01/2020", "newest first"),
    "comma.csv": _monthly("01.01.2010", "01.12.2019", "01.01.2020", "day.month.year",
                          "decimal comma", '";"'),
    "thousand.csv": _monthly("2010-01-01", "2019-12-01", "2020-01-01", "thousands by commas"),
    "stock.csv": Right("on working days", 5,
                       dict.fromkeys(("Open", "High", "Low", "Close", "Volume"), 400),
                       "2019-01-02", "2020-07-17", "2020-07-20", ("Monday to Friday",)),
    "nan.csv": _monthly("2000-01-01", "2009-12-01", "2010-01-01",
                        "3 missing values filled on a line", name="y"),
    "walk.csv": Right("daily", 7, {f"s{k}": 400 for k in range(20)}, "2020-01-01", "2021-02-03",
                      "2021-02-04", ("series named by unique_id",)),
    "const.csv": Right("monthly", 12, {"y": 100}, "2000-01-01", "2008-04-01", "2008-05-01",
                       ("never change",)),
    "quarter.csv": Right("quarterly", 4, {"sales": 120}, "1980Q1", "2009Q4", "2010Q1"),
    "index_column.csv": Right("daily", 7, {"y": 120}, "2021-03-01", "2021-06-28", "2021-06-29",
                              ("passed over: the column without a name",)),
    "yyyymm.csv": Right("monthly", 12, {"sales": 96}, "201201", "201912", "202001"),
    "epoch_fraction.csv": Right("hourly", 24, {"load": 200}, "1600000000.0", "1600716400.0",
                                "1600720000.0", ("seconds since 1970",)),
    "date_parts.csv": Right("hourly", 24, {"pm2.5": 276, "TEMP": 300}, "2014-01-02 00:00",
                            "2014-01-13 11:00", "2014,1,13,12",
                            ("year, month, day, hour", 'passed over: "No"')),
    "years_as_header.csv": Right("yearly", 1, dict.fromkeys(("Avalon", "Borduria", "Cimmeria"), 60),
                                 "1960", "2019", "2020", ("times from the header, 1960 to 2019",)),
    "unpadded_hours.csv": Right("hourly", 24, {"y": 200}, "2019-01-01 0:00", "2019-01-09 7:00",
                                "2019-01-09 8:00"),
    "last_business_day.csv": Right("monthly", 12, {"close": 100}, "2010-01-29", "2018-04-30",
                                   "2018-05-31", ("on the last working day",)),
    "symbols.csv": Right("daily", 7, {"AAA": 100, "BBB": 100}, "2021-03-01", "2021-06-08",
                         "2021-06-09", ("series named by symbol",)),
    "store_item.csv": Right("daily", 7, dict.fromkeys(("1/10", "1/20", "2/10", "2/20"), 80),
                            "2021-03-01", "2021-05-19", "2021-05-20",
                            ("series named by store, item",)),
}  # fmt: skip


@pytest.mark.parametrize("file", SERIES)
def test_series_are_read_as_they_are_meant(file: str) -> None:
    right = SERIES[file]
    panel = reading.read([str(CASES / file)], ForecastOptions(), 0.2)
    found, one = panel.collection, panel.collection.series[0]
    grid = found.grid
    assert grid is not None and grid.name == right.frequency
    assert panel.settings.season == right.season
    assert {s.name: len(s) for s in found.series} == right.series
    ends = (grid.text(int(one.places[0])), grid.text(int(one.places[len(one) - 1])))
    assert ends == (right.first, right.last)
    told = "\n".join(TASK.examine(panel).lines())
    for words in right.told:
        assert words in told


@pytest.mark.parametrize("file", SERIES)
def test_forecasts_go_on_in_the_data_s_own_writing(file: str, tmp_path: Path) -> None:
    right, run = SERIES[file], tmp_path / "run"
    ended = call(
        "train", "forecast", CASES / file, "--epochs", "1", "--hidden-size", "4", "--threads", "1",
        "--horizon", "2", "--run", run,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    for item, stdin in ((CASES / file, b""), ("-", (CASES / file).read_bytes())):
        ended = call("predict", run, item, stdin=stdin)
        assert ended.code == 0, ended.err
        head, first, second, *_ = csv.reader(io.StringIO(ended.out))
        forecast = head.index("forecast")
        ids = forecast - len(right.following.split(","))
        assert ",".join(first[ids:forecast]) == right.following
        assert "/".join(first[:ids]) == next(iter(right.series)) and second[:ids] == first[:ids]
        assert ended.out.count("\n") == 1 + 2 * len(right.series)


def test_an_empty_first_date_is_an_error_with_its_line() -> None:
    path = str(CASES / "first_date_missing.csv")
    with pytest.raises(UserError, match=r'first_date_missing\.csv, line 2: "ds" is empty; needs'):
        series.read([path], SeriesOptions(), BadRows(False))
    left = BadRows(skip=True)
    (one,) = series.read([path], SeriesOptions(), left).series
    assert left.count == 1 and len(one) == 119


def test_nothing_is_gained_over_the_last_value_of_random_walks(tmp_path: Path) -> None:
    run = tmp_path / "run"
    ended = call(
        "train", "forecast", CASES / "walk.csv", "--epochs", "6",
        "--threads", "1", "--run", run,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    report = (run / "report.md").read_text()
    assert "WARNING: nothing is gained over last value repeated: " in report
    assert "is better than" not in report and "WARNING: nothing is gained" in ended.err
    for data in ((), (CASES / "walk.csv",)):
        ended = call("evaluate", run, *data)
        assert ended.code == 0, ended.err
        assert "WARNING: nothing is gained over last value repeated" in ended.err


# ---- Other tasks ---------------------------------------------------------------------------


class Seen(NamedTuple):
    """What a table is for another task: words of the page before training."""

    task: str
    files: tuple[str, ...]
    told: tuple[str, ...]


OTHERS: dict[str, Seen] = {
    "index_regress": Seen("regress", ("index_regress.csv",),
                          ("passed over: the column without a name", "inputs u; targets y",
                           "all rows as one sequence")),
    "engine_cycles": Seen("regress", ("engine_cycles.csv",),
                          ('sequences by "unit_nr"', 'in the order of "time_cycles"',
                           "inputs s1; targets RUL", "8 sequences")),
    "booleans": Seen("regress", ("booleans.csv",), ("inputs valve", "True is 1, False is 0")),
    "gbk": Seen("classify", ("gbk.csv",), ("read as GB18030", 'column "标签"', 'column "评论"')),
    "multi": Seen("classify", ("multi.csv",),
                  ('"toxic", "obscene"', "several labels at once", 'column "text"')),
    "nested": Seen("classify", ("nested.jsonl",), ('sequences from column "data.text"',)),
    "empty_columns": Seen("classify", ("empty_columns.csv",),
                          ('labels from column "v1"', 'sequences from column "v2"', "empty")),
    "stray_quotes": Seen("classify", ("stray_quotes.tsv",),
                         ('labels from column "label"', "classes: bad")),
    "tokenised": Seen("translate", ("tokenised.zh", "tokenised.en"),
                      ("both sides are tokenised already",)),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_tables_of_other_tasks_are_read_as_they_are_meant(name: str, tmp_path: Path) -> None:
    seen, run = OTHERS[name], tmp_path / "run"
    files = [CASES / file for file in seen.files]
    ended = call(
        "train", seen.task, *files, "--epochs", "1", "--hidden-size", "4", "--threads", "1",
        "--run", run,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    for words in seen.told:
        assert words in ended.err, ended.err
    again = call("evaluate", run, *files)
    assert again.code == 0, again.err
    answered = call("predict", run, files[0])
    assert answered.code == 0, answered.err
    lines = [line for line in files[0].read_bytes().splitlines() if line.strip()]
    assert answered.out.count("\n") == len(lines)


def test_labels_of_stray_quotes_are_two(tmp_path: Path) -> None:
    found = labelled.read([str(CASES / "stray_quotes.tsv")], LabelRoles(), BadRows(False))
    assert sorted(set(found.labels)) == ["bad", "ok"]
    assert any(text == 'he said "1' for text in found.texts)


def test_translations_are_written_as_the_data_is_tokenised(tmp_path: Path) -> None:
    run = tmp_path / "run"
    files = (CASES / "tokenised.zh", CASES / "tokenised.en")
    ended = call(
        "train", "translate", *files, "--epochs", "14", "--hidden-size", "64", "--embedding", "64",
        "--learning-rate", "5e-3", "--threads", "1", "--seed", "1", "--json", "--run", run,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    scores = json.loads(ended.out)["scores"]
    assert scores["bleu"] > 90 and scores["exact"] > 0.9
    said = call("predict", run, files[0]).out.splitlines()
    assert all(line.endswith(" .") for line in said if line.endswith("."))
