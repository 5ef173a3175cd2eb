"""Tables in memory: pandas, polars, Arrow, data sets, columns and records are one."""

from __future__ import annotations

import datetime as d
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import pytest
from contents import COLUMNS, drawn, numbers_of, rows_of

from elman.data.forms.frames import is_frame, open_frame
from elman.errors import UserError


class DataSet:
    """Behaves as a data set of Hugging Face does."""

    class Words:
        names = ("bad", "good")

        def __init__(self) -> None:
            self.names = list(DataSet.Words.names)  # type: ignore[assignment]

    column_names = ("text", "label", "translation")

    def __init__(self) -> None:
        self.features = {"text": "string", "label": DataSet.Words(), "translation": object()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for k in range(3):
            yield {"text": f"t{k}", "label": k - 1, "translation": {"de": "x", "en": k}}


@pytest.mark.parametrize("seed", range(4))
def test_every_kind_of_frame_is_the_same_table(seed: int) -> None:
    values, cells = drawn(seed)
    columns = dict(zip(COLUMNS, (list(c) for c in zip(*values, strict=True)), strict=True))
    records = [dict(zip(COLUMNS, row, strict=True)) for row in values]
    polars = pl.DataFrame(values, schema=COLUMNS, orient="row")
    pandas = pd.DataFrame(columns)
    for frame in (columns, records, polars, polars.lazy(), pandas, Arrow(polars)):
        assert is_frame(frame)
        content = open_frame(frame)
        assert content.columns == tuple(COLUMNS)
        assert rows_of(content) == cells
        assert numbers_of(content) == list(range(1, len(cells) + 1))


class Arrow:
    """Anything that gives its content as Arrow's stream."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.__arrow_c_stream__ = frame.__arrow_c_stream__


def test_types_of_pandas() -> None:
    hours = pd.date_range("2020-03-29", periods=3, freq="h")
    frame = pd.DataFrame(
        {
            "hours": hours,
            "days": [pd.Timestamp("2020-01-01"), pd.NaT, pd.Timestamp("2020-01-02")],
            "zoned": pd.date_range("2020-03-29", periods=3, freq="h", tz="Europe/Berlin"),
            "quarter": pd.period_range("2020Q1", periods=3, freq="Q"),
            "month": pd.period_range("2020-01", periods=3, freq="M"),
            "week": pd.period_range("2020-01-01", periods=3, freq="W"),
            "float": [1.0, np.nan, 2.5],
            "int": pd.array([1, None, 3], dtype="Int64"),
            "bool": pd.array([True, None, False], dtype="boolean"),
            "category": pd.Categorical(["a", "b", None]),
            "delta": pd.to_timedelta([1, 90, None], unit="s"),
            "objects": ["x", None, pd.NA],
            "fraction": hours + pd.Timedelta(milliseconds=5),
        }
    )  # fmt: skip
    content = open_frame(frame)
    columns = dict(zip(content.columns, zip(*rows_of(content), strict=True), strict=True))
    assert columns == {
        "hours": ("2020-03-29T00:00:00", "2020-03-29T01:00:00", "2020-03-29T02:00:00"),
        "days": ("2020-01-01", None, "2020-01-02"),
        "zoned": (
            "2020-03-29T00:00:00+01:00", "2020-03-29T01:00:00+01:00", "2020-03-29T03:00:00+02:00",
        ),
        "quarter": ("2020Q1", "2020Q2", "2020Q3"),
        "month": ("2020-01", "2020-02", "2020-03"),
        "week": ("2019-12-30", "2020-01-06", "2020-01-13"),
        "float": (1, None, 2.5),
        "int": (1, None, 3),
        "bool": (True, None, False),
        "category": ("a", "b", None),
        "delta": (1, 90, None),
        "objects": ("x", None, None),
        "fraction": tuple(f"2020-03-29T0{k}:00:00.005" for k in range(3)),
    }  # fmt: skip


def test_an_index_that_says_something_is_a_column() -> None:
    frame = pd.DataFrame({"y": [1, 2, 3]})
    days = pd.date_range("2020", periods=3)
    assert open_frame(frame.iloc[::2]).columns == ("y",)
    assert open_frame(frame.set_index(days)).columns == ("index", "y")
    assert open_frame(frame.set_index(days.rename("ds"))).columns == ("ds", "y")
    assert open_frame(frame.set_index("y", drop=False)).columns == ("y",)
    two = frame.assign(a=["u", "v", "w"], b=1).set_index(["a", "b"])
    assert rows_of(open_frame(two)) == [["u", 1, 1], ["v", 1, 2], ["w", 1, 3]]
    wide = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]))
    assert open_frame(wide).columns == ("a.x", "a.y")


def test_data_sets_give_labels_by_their_words() -> None:
    content = open_frame(DataSet())
    assert content.columns == ("text", "label", "translation.de", "translation.en")
    assert rows_of(content) == [["t0", None, "x", 0], ["t1", "bad", "x", 1], ["t2", "good", "x", 2]]
    assert content.nested == {"translation.de", "translation.en"}


def test_numbers_of_numpy_and_dates_in_records() -> None:
    records = [
        {"x": np.float32(1.5), "at": d.datetime(2020, 1, 1)},
        {"at": d.datetime(2020, 1, 1, 3)},
    ]
    assert rows_of(open_frame(records)) == [
        [1.5, "2020-01-01T00:00:00"], [None, "2020-01-01T03:00:00"],
    ]  # fmt: skip
    columns = {
        "x": np.arange(2),
        "t": np.array(["2020-01", "NaT"], "datetime64[M]"),
        "l": [[1], ()],
    }
    assert rows_of(open_frame(columns)) == [[0, "2020-01-01", [1]], [1, None, []]]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (5, "int is no table; give a data frame"),
        ([], "list is no table"),
        ({"a": [1], "b": [1, 2]}, '"b" has 2 rows, "a" 1'),
        ([{"a": 1}, 3], "row 2: not a record"),
        (pd.DataFrame({"a": []}), "holds no rows"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), 'two columns are named "a"; rename one'),
        ({"train": pl.DataFrame({"a": [1]})}, r'several tables \("train"\); give one of them'),
    ],
)
def test_what_is_no_table(data: Any, what: str) -> None:
    with pytest.raises(UserError, match=what):
        rows_of(open_frame(data))
