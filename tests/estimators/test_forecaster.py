"""Series in any form, forecasts in the same; scores fair and greater where better."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calling import call

import elman
from elman.data.built_in.sunspots import FIGURES
from elman.errors import UserError

YEARS = np.array(FIGURES.split(), dtype=np.float64)
SMALL: dict[str, Any] = {
    "horizon": 4, "look_back": 12, "season": 11, "hidden_size": 6, "epochs": 2, "batch_size": 64,
    "random_state": 1, "share": 1.0, "members": 1,
}  # fmt: skip
QUANTILES: dict[str, Any] = {"quantiles": (0.1, 0.5, 0.9)}


def _dates(count: int, first: str = "2020-01-01") -> Any:
    return np.datetime64(first, "D") + np.arange(count)


def _long(values: Any, names: str = "ab") -> dict[str, Any]:
    """The same values under each name, one day after the other."""
    N = len(values)
    return {
        "unique_id": np.repeat(list(names), N),
        "ds": np.concatenate([_dates(N)] * len(names)),
        "y": np.concatenate([values + k for k in range(len(names))]),
    }


def test_after_one_series_come_its_steps_after_several_a_row_for_each() -> None:
    one = elman.Forecaster(**SMALL, **QUANTILES).fit(YEARS)
    several = elman.Forecaster(**SMALL, **QUANTILES).fit([YEARS[:100], YEARS[100:]])
    assert one.predict().shape == (4,) and several.predict().shape == (2, 4)
    assert one.predict_quantiles().shape == (4, 3)
    assert several.predict_quantiles(steps=3).shape == (2, 3, 3)
    for model in (one, several):
        quantiles = model.predict_quantiles()
        assert (np.diff(quantiles) >= 0).all()
        assert np.array_equal(quantiles[..., 1], model.predict())
        assert np.array_equal(model.predict(steps=3), model.predict()[..., :3])
        assert np.array_equal(quantiles[..., :3, :], model.predict_quantiles(steps=3))
    assert (one.horizon_, one.look_back_, one.season_) == (4, 12, 11)
    assert np.array_equal(several.predict([YEARS[:50]])[0], several.predict(YEARS[:50]))


def test_what_follows_depends_on_the_look_back_alone() -> None:
    model = elman.Forecaster(**SMALL).fit(YEARS)
    told = model.predict(YEARS)
    assert np.array_equal(told, model.predict())
    assert np.allclose(told, model.predict(YEARS[-12:]), rtol=1e-5)
    changed = YEARS.copy()
    changed[-1] += 50
    assert not np.allclose(model.predict(changed), told, rtol=0.05)
    assert np.allclose(model.predict(changed[:-1]), model.predict(YEARS[:-1]))


def test_a_table_comes_back_as_the_command_writes_it(tmp_path: Path) -> None:
    table = _long(YEARS[:60])
    made = elman.Forecaster(**SMALL, **QUANTILES).fit(table)
    told = made.predict()
    path, run = tmp_path / "t.csv", tmp_path / "run"
    path.write_text(
        "unique_id,ds,y\n"
        + "".join(f"{i},{d},{y}\n" for i, d, y in zip(*table.values(), strict=True))
    )
    elman.train(
        "forecast", path, run=run, horizon=4, look_back=12, season=11, hidden_size=6, epochs=2,
        batch_size=64, seed=1, quantiles="0.1,0.5,0.9", validation=0, sample=0, share=1, members=1,
    )  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(call("predict", run, path).out)))
    assert list(told) == list(rows[0])
    assert told["unique_id"].tolist() == [row["unique_id"] for row in rows] == [*"aaaabbbb"]
    assert told["ds"].astype("datetime64[D]").astype(str).tolist() == [row["ds"] for row in rows]
    for name in ("forecast", "q0.1", "q0.5", "q0.9"):
        assert told[name].tolist() == pytest.approx([float(row[name]) for row in rows], rel=1e-6)
    assert np.array_equal(told["forecast"], told["q0.5"])
    assert len(made.predict(steps=1)["ds"]) == 2
    assert "values from y" in " ".join(made.facts_) and "daily" in " ".join(made.facts_)


def test_a_data_frame_comes_back_with_dates_that_follow() -> None:
    pandas = pytest.importorskip("pandas")
    for frequency in ("D", "ME", "h", "MS", "B"):
        dates = pandas.date_range("2020-01-31", periods=61, freq=frequency)
        frame = pandas.DataFrame({"ds": dates[:60], "north": YEARS[:60], "south": YEARS[60:120]})
        told = elman.Forecaster(**SMALL).fit(frame).predict(steps=1)
        assert isinstance(told, pandas.DataFrame)
        assert told["unique_id"].tolist() == ["north", "south"]
        assert (told["ds"] == dates[60]).all(), frequency
    column = elman.Forecaster(**SMALL).fit(frame["north"])
    assert np.array_equal(column.predict(), elman.Forecaster(**SMALL).fit(YEARS[:60]).predict())


def test_dates_of_pandas_and_polars_come_back_as_they_are() -> None:
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    zoned = {"tz": "Europe/Berlin"}
    kinds = [
        pandas.date_range("2020-03-01", periods=61, **zoned),  # midnights on both sides of a change
        pandas.date_range("2020-03-28", periods=61, freq="h", **zoned),  # an hour that is not there
        pandas.date_range("2020-10-24", periods=61, freq="15min", tz="UTC"),
        pandas.period_range("2019-01", periods=61, freq="M"),
        pandas.period_range("2001Q1", periods=61, freq="Q"),
        pandas.period_range("2019-01-01", periods=61, freq="D"),
        pandas.date_range("2020-01-01", periods=61, freq="40ms"),
    ]
    for dates in kinds:
        y = YEARS[:60]
        column = elman.Forecaster(**SMALL).fit(pandas.DataFrame({"ds": dates[:60], "y": y}))
        assert column.predict()["ds"][0] == dates[60], dates.dtype
        assert column.predict()["ds"].dtype == dates.dtype or dates.freq.name == "40ms"
        # The same as the index of a frame, with a name or without, newest first.
        for name in (None, "day"):
            frame = pandas.DataFrame({"y": y[::-1]}, index=dates[:60][::-1].rename(name))
            told = elman.Forecaster(**SMALL).fit(frame)
            assert told.predict()[name or "index"].tolist() == column.predict()["ds"].tolist()
            assert np.array_equal(told.predict()["forecast"], column.predict()["forecast"])
            assert any("newest first" in fact for fact in told.facts_)
    stamps = polars.datetime_range(
        polars.datetime(2020, 3, 28), polars.datetime(2020, 3, 30, 12), "1h",
        time_zone="Europe/Berlin", eager=True,
    )  # fmt: skip
    days = polars.date_range(polars.date(2020, 1, 1), polars.date(2020, 3, 1), eager=True)
    for dates in (stamps, days):
        N = len(dates) - 1
        frame = polars.DataFrame({"ds": dates[:N], "y": YEARS[:N]})
        told = elman.Forecaster(**SMALL).fit(frame).predict()
        assert told["ds"].dtype == dates.dtype and told["ds"][0] == dates[N]


def test_records_and_lazy_frames_are_tables_too() -> None:
    polars = pytest.importorskip("polars")
    table = _long(YEARS[:60])
    told = elman.Forecaster(**SMALL).fit(table).predict()
    columns = {name: column.tolist() for name, column in table.items()}
    records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    for other in (records, polars.DataFrame(columns).lazy()):
        again = elman.Forecaster(**SMALL).fit(other).predict()
        if not isinstance(again, dict):
            again = again.collect().to_dict(as_series=False)
        assert list(again) == list(told)
        assert np.array_equal(np.asarray(again["forecast"]), told["forecast"])


def test_a_date_that_is_missing_is_told_by_its_row() -> None:
    pandas = pytest.importorskip("pandas")
    dates = pandas.Series(pandas.date_range("2020-01-01", periods=60))
    for kind in (dates, dates.dt.tz_localize("Asia/Tokyo"), dates.dt.to_period("D")):
        frame = pandas.DataFrame({"ds": kind, "y": YEARS[:60]})
        frame.loc[7, "ds"] = pandas.NaT
        with pytest.raises(UserError, match=r'^y, row 8: "ds" is empty; needs a date as 2020-01-'):
            elman.Forecaster(**SMALL).fit(frame)


def test_covariates_and_gaps_are_read_as_in_files() -> None:
    table = _long(YEARS[:60], "a") | {"sale": np.arange(60) % 2, "rain": YEARS[:60] % 7}
    how: dict[str, Any] = {"future_columns": "sale", "past_columns": "rain"}
    model = elman.Forecaster(**SMALL, **how).fit(table)
    with pytest.raises(UserError, match="needs 4 rows after its last value with sale, and has 0"):
        model.predict()
    dates = _dates(64)
    longer = {
        "unique_id": ["a"] * 64, "ds": dates, "y": [*YEARS[:60], *[None] * 4],
        "sale": np.arange(64) % 2, "rain": [*(YEARS[:60] % 7), *[np.nan] * 4],
    }  # fmt: skip
    told = model.predict(longer)
    assert told["ds"].tolist() == dates[60:].astype("datetime64[s]").tolist()
    other = model.predict(longer | {"sale": [*np.arange(60) % 2, 9, 9, 9, 9]})
    assert not np.allclose(told["forecast"], other["forecast"])
    # Learnt from a table that goes on, it need not be given again.
    again = elman.Forecaster(**SMALL, **how).fit(longer)
    assert np.allclose(again.predict()["forecast"], told["forecast"])
    with pytest.raises(UserError, match="rain, sale: needs a table"):
        elman.Forecaster(**SMALL, **how).fit(YEARS)
    holed = YEARS[:80].copy()
    holed[[20, 40]] = np.nan
    line = elman.Forecaster(**SMALL).fit(holed)
    assert "2 missing values filled on a line, gaps of up to 1" in line.facts_[-1]
    holed[22:28] = np.nan
    with pytest.raises(UserError, match='y: a value of "1" is missing; gaps of more than 3'):
        elman.Forecaster(**SMALL).fit(holed)
    assert np.isfinite(elman.Forecaster(**SMALL, fill="linear").fit(holed).predict()).all()


def test_the_score_is_minus_mase_and_greater_where_better() -> None:
    options = SMALL | {"horizon": 1, "season": 1, "look_back": 11, "learning_rate": 0.01}
    early = elman.Forecaster(**options | {"epochs": 1}).fit(YEARS[:200])
    late = elman.Forecaster(**options | {"epochs": 60}).fit(YEARS[:200])
    rest = YEARS[200:]
    assert late.score(rest) > early.score(rest)
    # By hand: every place from the look-back on, against steps of one year before the first.
    gaps = [abs(late.predict(rest[:k])[0] - rest[k]) for k in range(11, len(rest))]
    by_hand = -np.mean(gaps) / np.abs(np.diff(rest[:11])).mean()
    assert late.score(rest) == pytest.approx(by_hand, rel=1e-5)  # in float32
    with pytest.raises(UserError, match="no MASE"):
        late.score(np.ones(40))


def test_series_are_known_by_their_names_in_tables_alone() -> None:
    options = SMALL | {"identity": 3, "season": 7}
    table = _long(YEARS[:60])
    model = elman.Forecaster(**options).fit(table)
    first, new = (model.predict(_long(YEARS[:60], name))["forecast"] for name in ("a", "z"))
    assert np.allclose(first, model.predict()["forecast"][:4]) and not np.allclose(first, new)
    arrays = elman.Forecaster(**options).fit([YEARS[:60], YEARS[:60] + 1])
    known, unknown = arrays.predict(), arrays.predict([YEARS[:60], YEARS[:60] + 1])
    assert not np.allclose(known, unknown)
    assert np.allclose(unknown[0], arrays.predict(YEARS[:60]))


@pytest.mark.parametrize(
    ("y", "told"),
    [
        ([], "y holds no series"),
        (3.0, "y holds no series"),
        (["x", "z"], "y: no numbers"),
        ([[1.0, np.inf]], r"y\[0\] of shape \(2,\): needs finite numbers"),
        (np.zeros((2, 3, 4)), r"y\[0\] of shape \(3, 4\)"),
        ([1.0, 2.0, 3.0], '"1" has 3 values for training'),
        ({"ds": [1, 2], "y": [1.0]}, 'y: "y" has 1 rows, "ds" 2'),
        ({}, "y: dict is no table"),
        ({"ds": ["a", "b"], "y": ["c", "d"]}, "y, row 1: \"ds\" is 'a', no date that is known"),
        ({"a": ["a", "b"], "y": ["c", "d"]}, "y: no column of numbers"),
        (
            {"ds": ["2020-01-02", "2020-01-02"], "y": [1, 2]},
            "y, row 2: 2020-01-02 comes twice, in row 1 too; give --duplicates",
        ),
        (
            {"ds": ["2020-01-02", "2020-01-03", "soon"], "y": [1.0, 2.0, 3.0]},
            "y, row 3: \"ds\" is 'soon'; needs a date as 2020-01-02",
        ),
    ],
)
def test_what_is_no_series_is_told(y: Any, told: str) -> None:
    with pytest.raises(UserError, match=told):
        elman.Forecaster(**SMALL).fit(y)


def test_what_was_not_learnt_is_not_forecast() -> None:
    model = elman.Forecaster(**SMALL).fit(YEARS)
    for steps in (0, 5):
        with pytest.raises(UserError, match="needs 1 to 4, the horizon that was learnt"):
            model.predict(steps=steps)
    with pytest.raises(UserError, match="give steps=3"):
        model.predict(3)
    with pytest.raises(UserError, match="fitted without quantiles"):
        model.predict_quantiles()
    with pytest.raises(UserError, match="fitted on arrays"):
        model.predict(_long(YEARS[:60]))
    with pytest.raises(UserError, match='"1" has 11 values, where the model needs 12'):
        model.predict(YEARS[:11])


def test_scikit_learn_takes_it_for_one_of_its_own() -> None:
    pytest.importorskip("sklearn")
    pandas = pytest.importorskip("pandas")
    from sklearn.model_selection import GridSearchCV, GroupKFold, TimeSeriesSplit, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    model = elman.Forecaster(**SMALL)
    splits = TimeSeriesSplit(3, test_size=60)
    scores = cross_val_score(model, YEARS, cv=splits, error_score="raise")
    by_hand = [model.fit(YEARS[a]).score(YEARS[b]) for a, b in splits.split(YEARS)]
    assert scores.tolist() == by_hand
    parts = [YEARS[k : k + 60] for k in range(0, 240, 60)]
    assert (cross_val_score(model, parts, cv=2, error_score="raise") < 0).all()
    frame = pandas.DataFrame(_long(YEARS[:60], "abcd"))
    scores = cross_val_score(
        model, frame, groups=frame["unique_id"], cv=GroupKFold(2), error_score="raise"
    )
    assert np.isfinite(scores).all()
    roots = make_pipeline(FunctionTransformer(np.sqrt), model).fit(YEARS)
    assert roots.score(YEARS) == model.score(np.sqrt(YEARS))
    assert roots.predict(YEARS[:40]).shape == (4,)
    search = GridSearchCV(model, {"cell": ["gru", "rnn"]}, cv=splits, error_score="raise")
    assert search.fit(YEARS).best_params_["cell"] in ("gru", "rnn")
