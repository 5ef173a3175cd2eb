"""Forecasts: nothing looks ahead, scores are those of utilsforecast, networks keep their laws."""

from __future__ import annotations

import csv
import io
import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from calling import call

import elman
from elman.errors import UserError
from elman.run.options import parse
from elman.tasks import get
from elman.tasks.forecast import pictures, reading
from elman.tasks.forecast.data import Batch, Inputs, Panel
from elman.tasks.forecast.errors import mase_scales
from elman.tasks.forecast.intervals import conformal
from elman.tasks.forecast.mixing.mixture import forecasts
from elman.tasks.forecast.model import make_network, widths_of
from elman.tasks.forecast.networks.network import Network
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.forecast.scores import by_step, mape_by_step, scores_of
from elman.tasks.forecast.simple import naive
from elman.tasks.forecast.task import TASK

SMALL: dict[str, Any] = {"hidden_size": 5, "look_back": 7, "horizon": 4, "season": 3}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two series of 60 days, all values above 0, with a column known to the past and one ahead."""
    draw = np.random.default_rng(1)
    rows = [["date", "a", "b", "wind", "open"]]
    for k in range(60):
        a, b = 20 + 5 * np.sin(2 * np.pi * k / 3) + draw.normal(), 300 + k + 9 * draw.normal()
        day = str(np.datetime64("2024-02-01") + k)
        rows.append([day, f"{a:.4f}", f"{b:.4f}", f"{draw.normal():.4f}", str(k % 2)])
    path = tmp_path / "two.csv"
    path.write_text("\n".join(map(",".join, rows)) + "\n", encoding="utf-8")
    return path


COVARIATES = {"past_columns": "wind", "future_columns": "open"}


def _options(**options: Any) -> ForecastOptions:
    own, _ = parse("forecast", SMALL | options)
    assert isinstance(own, ForecastOptions)
    return own


def _read(path: Path, share: float = 0.2, **options: Any) -> Panel:
    return reading.read([str(path)], _options(**options), share)


def _network(data: Panel, **options: Any) -> Network:
    torch.manual_seed(0)
    settled = replace(
        _options(**options), dropout=0.0, weight_drop=0.0,
        identity=_options(**options).identity or 0,
    )  # fmt: skip
    past = len(data.collection.options.past_columns)
    return make_network(settled, data.settings, widths_of(data.fitted, past)).eval()


KINDS: tuple[dict[str, Any], ...] = (
    {"target": "a,b", **COVARIATES},
    {"steps_ahead": "recursive", "seasonal": True, "season": 5, "future_columns": "open"},
    {"segment": 3, "look_back": 9, "identity": 2, "cell": "gru", **COVARIATES, "target": "a,b"},
    {"bidirectional": True, "quantiles": "0.1,0.5,0.9", "log": True, "target": "a,b"},
)


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_after_an_origin_changes_no_forecast_before_it(
    table: Path, kind: dict[str, Any]
) -> None:
    data = _read(table, **kind)
    origin = int(data.check[-1, 1]) - 3
    lines = table.read_text().splitlines()
    target = lines[0].split(",")
    for k in range(1 + origin, len(lines)):
        cells = lines[k].split(",")
        for name in ("a", "b", "wind"):  # what is known ahead may be looked at
            cells[target.index(name)] = str(1000.0 + k)
        lines[k] = ",".join(cells)
    table.write_text("\n".join(lines) + "\n")
    other = _read(table, **kind)
    network = _network(data, **kind)
    before = data.check[data.check[:, 1] <= origin]
    assert len(before) and data.fitted.to_json() == other.fitted.to_json()
    first, _ = forecasts(network, data, before, "cpu")
    second, _ = forecasts(network, other, before, "cpu")
    assert np.isfinite(first).all() and np.array_equal(first, second)
    for name, one in naive.suited(data).items():
        assert np.array_equal(one.make(data, before), one.make(other, before)), name
    assert np.array_equal(mase_scales(data, data.check), mase_scales(other, data.check))
    later = data.check[data.check[:, 1] > origin]
    assert not np.array_equal(
        forecasts(network, data, later, "cpu")[0], forecasts(network, other, later, "cpu")[0]
    )


def test_training_sees_nothing_of_validation_nor_that_of_the_test_part(table: Path) -> None:
    data = _read(table, validation_from="2024-03-10", test_from="2024-03-20", until="2024-03-29")
    horizon = data.settings.horizon
    ends = [int(part[:, 1].max()) + horizon for part in (data.train, data.check, data.test)
            if part is not None]  # fmt: skip
    assert ends == [38, 48, 57]
    begins = [int(part[:, 1].min()) for part in (data.train, data.check, data.test)
              if part is not None]  # fmt: skip
    assert begins == [7, 38, 48]
    assert np.allclose(data.fitted.values.mean[0], data.raw[:38].mean())


@pytest.mark.parametrize(
    ("scaling", "log", "seasonal"),
    [*itertools.product(("series", "window", "last"), (False, True), (False, True))],
)
def test_scaled_values_are_the_values(table: Path, scaling: str, log: bool, seasonal: bool) -> None:
    data = _read(table, scaling=scaling, log=log, seasonal=seasonal, target="a,b")
    batch = data.batch(data.train)
    back = data.unscaled(batch.target.double().numpy()[:, :, None], batch)[:, :, 0]
    # Scaled values are float32.
    assert np.abs(back / data.values(data.train) - 1).max() < 1e-5
    assert all(bool(torch.isfinite(part).all()) for part in batch)


@pytest.mark.parametrize("kind", KINDS)
def test_forecasts_do_not_depend_on_what_else_is_in_a_batch(
    table: Path, kind: dict[str, Any]
) -> None:
    data = _read(table, **kind)
    network = _network(data, **kind)
    whole, _ = forecasts(network, data, data.check, "cpu")
    for k in (0, len(data.check) - 1):
        alone, _ = forecasts(network, data, data.check[k : k + 1], "cpu")
        assert np.abs(alone[0] / whole[k] - 1).max() < 1e-5  # float32


def test_recursive_forecasts_are_steps_repeated(table: Path) -> None:
    kind: dict[str, Any] = {"steps_ahead": "recursive", "target": "a,b"}
    data = _read(table, **kind)
    network = _network(data, **kind).double()
    batch = Batch(*(p.double() if p.is_floating_point() else p
                          for p in data.batch(data.check)))  # fmt: skip
    inputs, L = batch.inputs, data.settings.look_back
    made = network(inputs)
    for k in range(data.settings.horizon):
        # The first k forecasts, put in as if they had been values, give the one after them.
        values = torch.cat([inputs.values, made[:, :k]], 1)
        target = torch.cat([made[:, :k, 0], torch.zeros(len(made), 4 - k)], 1)
        told, y = network.answers(batch._replace(target=target))
        assert torch.allclose(told[:, L - 1 + k], made[:, k], atol=1e-12)
        assert torch.equal(y[:, : L - 1 + k], values[:, 1:, 0])


def test_segments_ahead_know_only_their_own_times(table: Path) -> None:
    kind: dict[str, Any] = {"segment": 2, "look_back": 6, "future_columns": "open", "target": "a"}
    data = _read(table, **kind)
    network = _network(data, **kind)
    inputs = data.batch(data.check[:3]).inputs
    made = network(inputs)
    known = inputs.known.clone()
    known[:, 6 + 2 :] += 1.0
    other = network(Inputs(inputs.values, known, inputs.static, inputs.which))
    assert torch.equal(made[:, :2], other[:, :2]) and not bool((made[:, 2:] == other[:, 2:]).any())


def test_a_new_series_gets_the_mean_of_all_identities(table: Path) -> None:
    kind: dict[str, Any] = {"segment": 1, "identity": 3, "target": "a,b"}
    data = _read(table, **kind)
    network = _network(data, **kind)
    assert network.identity is not None
    vectors = network.identity(torch.tensor([0, 1, -1]))
    assert torch.equal(vectors[2], vectors[:2].mean(0))


def test_scores_are_those_of_utilsforecast(table: Path) -> None:
    losses = pytest.importorskip("utilsforecast.losses")
    pandas = pytest.importorskip("pandas")
    quantiles = (0.1, 0.5, 0.9)
    data = _read(table, target="a,b", stride=5)
    draw = np.random.default_rng(2)
    made = data.values(data.check)[:, :, None] + draw.normal(size=(len(data.check), 4, 3))
    made = np.sort(made, 2)
    rows, train = [], []
    for k, (number, origin) in enumerate(data.check):
        for h in range(4):
            values = {f"q{q}": made[k, h, j] for j, q in enumerate(quantiles)}
            y = data.values(data.check)[k, h]
            rows.append({"unique_id": str(number), "y": y, **values})
        del origin
    for number in (0, 1):
        first = int(data.check[data.check[:, 0] == number, 1].min())
        for t, y in enumerate(data.history(number, first)):
            train.append({"unique_id": str(number), "ds": t, "y": y})
    frame, past = pandas.DataFrame(rows), pandas.DataFrame(train)
    own = scores_of(data, data.check, made, quantiles)

    def mean(found: Any) -> float:
        return float(found.drop(columns="unique_id").to_numpy().mean())  # two equal series

    assert own["mae"] == pytest.approx(mean(losses.mae(frame, ["q0.5"])))
    assert own["mape"] == pytest.approx(100 * mean(losses.mape(frame, ["q0.5"])))
    assert own["smape"] == pytest.approx(200 * mean(losses.smape(frame, ["q0.5"])))
    assert own["rmse"] == pytest.approx(np.sqrt(mean(losses.mse(frame, ["q0.5"]))))
    assert own["mase"] == pytest.approx(
        mean(losses.mase(frame, ["q0.5"], seasonality=3, train_df=past))
    )
    names = {"m": [f"q{q}" for q in quantiles]}
    told = mean(losses.mqloss(frame, names, quantiles=np.array(quantiles)))
    assert own["crps"] == pytest.approx(2 * told)
    steps = by_step(data, data.check, made[:, :, 1])
    assert steps.mean() == pytest.approx(own["mase"])
    percent = mape_by_step(data, data.check, made[:, :, 1])
    assert percent.mean() == pytest.approx(own["mape"])


def _stock(path: Path, *, separator: str = ",", mark: str = ".", encoding: str = "utf-8") -> None:
    """Working days of 2024 without some holidays; Close and Öffnung."""
    days = np.arange("2024-01-02", "2024-12-31", dtype="M8[D]")
    closed = np.array(["2024-01-15", "2024-03-29", "2024-04-01", "2024-12-25"], dtype="M8[D]")
    days = days[np.is_busday(days) & ~np.isin(days, closed)]
    draw = np.random.default_rng(4).normal(size=(len(days), 2)).cumsum(0) + 100
    rows = [["Tag", "Close", "Öffnung"]]
    rows += [[str(d), f"{a:.2f}", f"{b:.2f}"] for d, (a, b) in zip(days, draw, strict=True)]
    cells = [[cell.replace(".", mark) for cell in row] for row in rows]
    path.write_text("\n".join(map(separator.join, cells)) + "\n", encoding=encoding)


def test_parts_of_sessions_begin_on_their_days_or_the_next(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    _stock(path)
    # A Saturday, a holiday, a Sunday.
    data = _read(path, until="2024-11-30", validation_from="2024-03-29", test_from="2024-09-01")
    (one, _), grid = data.collection.series, data.collection.grid
    assert grid is not None and data.test is not None
    for windows, day in ((data.check, "2024-04-02"), (data.test, "2024-09-02")):
        assert grid.text(int(one.places[windows[0, 1]])) == day
    assert grid.text(int(one.places[-1])) == "2024-11-29"
    # What is read of the times is that of the true days, over holidays and into the future.
    known = data.fitted.known.mean + data.known * data.fitted.known.spread
    places = [*one.places, *grid.after(int(one.places[-1]), data.settings.horizon)]
    days = np.array([(int(place) + 3) % 7 for place in places])
    first = known[: len(days), :7]
    assert data.settings.calendar[0] == "weekday" and (first.argmax(1) == days).all()


def test_sessions_go_on_in_a_file_of_their_own(tmp_path: Path) -> None:
    path, head, rest = (tmp_path / name for name in ("s.csv", "head.csv", "rest.csv"))
    _stock(path)
    lines = path.read_text().splitlines()
    head.write_text("\n".join(lines[:201]) + "\n")
    rest.write_text("\n".join([lines[0], *lines[201:]]) + "\n")
    whole, apart = _read(path), _read(head, test_data=str(rest))
    assert apart.test is not None and int(apart.test[0, 1]) == 200
    pairs = zip(whole.collection.series, apart.collection.series, strict=True)
    for a, b in pairs:
        assert a.y.tolist() == b.y.tolist() and a.places.tolist() == b.places.tolist()
    later = tmp_path / "later.csv"
    later.write_text("\n".join([lines[0], *lines[225:]]) + "\n")
    with pytest.raises(UserError, match='"Close" does not go on after 2024-10-'):
        _read(head, test_data=str(later))


def test_a_table_may_be_written_in_another_way_than_that_of_the_training(tmp_path: Path) -> None:
    path, other, run = (tmp_path / name for name in ("s.csv", "other.csv", "run"))
    _stock(path, separator=";", mark=",", encoding="utf-8")
    _train(run, path, "--horizon", "2", "--target", "Close")
    told = call("predict", run, path)
    assert told.code == 0 and "2024-12-31" in told.out, told.err
    lines = [line.split(";") for line in path.read_text().splitlines()]
    # Columns in another order, newest first, one more of them, in another encoding.
    turned = [[row[1], "x", row[2], row[0]] for row in [lines[0], *lines[:0:-1]]]
    turned[0][1] = "new"
    other.write_text("\n".join(map(";".join, turned)) + "\n", encoding="cp1252")
    again = call("predict", run, other)
    assert again.code == 0 and again.out == told.out, again.err
    assert call("evaluate", run, other).code == 0
    other.write_text("Tag;Open\n" + "\n".join(f"{r[0]};{r[1]}" for r in lines[1:]) + "\n")
    gone = call("predict", run, other)
    assert gone.code == 2 and "Close" in gone.err and len(gone.err.splitlines()) == 1


DAMAGE: dict[str, Any] = {
    "no pattern": lambda kept: kept["reading"]["grid"]["dates"].pop("pattern"),
    "no grid": lambda kept: kept["reading"].pop("grid"),
    "a grid of words": lambda kept: kept["reading"].update(grid="daily"),
    "no options": lambda kept: kept["reading"].pop("options"),
    "no table": lambda kept: kept["reading"].pop("table"),
    "parts of nothing": lambda kept: kept["reading"].update(parts=["moon"]),
    "no reading": lambda kept: kept.pop("reading"),
    "a step of words": lambda kept: kept["reading"]["grid"].update(step="far"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_reading_is_one_clear_line(table: Path, what: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    _train(run, table, "--target", "a")
    kept = json.loads((run / "preprocessing.json").read_text())
    DAMAGE[what](kept)
    (run / "preprocessing.json").write_text(json.dumps(kept))
    ended = call("predict", run, table)
    assert ended.code in (1, 2) and len(ended.err.splitlines()) == 1, ended.err
    assert "preprocessing.json" in ended.err and "damaged" in ended.err


# ---- Through the command line --------------------------------------------------------------


def _train(run: Path, *arguments: str | Path) -> None:
    ended = call(
        "train", "forecast", *arguments, "--epochs", "1", "--hidden-size", "4", "--threads", "1",
        "--run", run,
    )  # fmt: skip
    assert ended.code == 0, ended.err


def test_predict_goes_on_with_every_series_in_the_data_s_own_names(
    table: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    _train(run, table, "--target", "a,b", "--horizon", "3", "--quantiles", "0.2,0.5,0.8")
    ended = call("predict", run, "-", stdin=table.read_bytes())
    assert ended.code == 0, ended.err
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert list(rows[0]) == ["unique_id", "date", "forecast", "q0.2", "q0.5", "q0.8"]
    ahead = ["2024-04-01", "2024-04-02", "2024-04-03"]
    assert [(r["unique_id"], r["date"]) for r in rows] == [(n, d) for n in "ab" for d in ahead]
    for row in rows:
        low, middle, high = (float(row[name]) for name in ("q0.2", "q0.5", "q0.8"))
        assert low <= middle <= high and float(row["forecast"]) == middle
    assert call("predict", run, table).out == ended.out
    report = (run / "report.md").read_text()
    assert (
        "| steps ahead | network | last value | last season | drift | mean | smoothing |" in report
    )
    assert "The 60 % interval held" in report


def test_predict_answers_json_in_json_and_reads_what_is_known_ahead(tmp_path: Path) -> None:
    def rows(values: int, known: int) -> str:
        made = [
            {"id": name, "ds": k, "y": 1.5 * k + (k % 4), "sale": k % 3}
            | ({} if k < values else {"y": None})
            for name in ("x", "z")
            for k in range(known)
        ]
        return "\n".join(json.dumps(row) for row in made)

    data, run = tmp_path / "d.jsonl", tmp_path / "run"
    data.write_text(rows(40, 40))
    how = ("--future-columns", "sale", "--horizon", "2", "--season", "4")
    _train(run, data, *how)
    data.write_text(rows(40, 43))
    ended = call("predict", run, data)
    assert ended.code == 0, ended.err
    found = [json.loads(line) for line in ended.out.splitlines()]
    assert [(r["id"], r["ds"]) for r in found] == [("x", 40), ("x", 41), ("z", 40), ("z", 41)]
    data.write_text(rows(40, 41))
    ended = call("predict", run, data)
    assert ended.code == 2 and "needs 2 rows after its last value with sale, and has 1" in ended.err


def test_the_final_scores_are_of_the_part_that_was_held_out(table: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"target": "a", "epochs": 1, "hidden_size": 4, "threads": 1}
    cut = ["2024-03-21", table.read_text().splitlines()]
    named = elman.train("forecast", table, run=tmp_path / "n", test_from=cut[0], **options)
    head, rest = tmp_path / "head.csv", tmp_path / "rest.csv"
    head.write_text("\n".join(cut[1][:50]) + "\n")
    rest.write_text("\n".join([cut[1][0], *cut[1][50:]]) + "\n")
    apart = elman.train("forecast", head, run=tmp_path / "a", test_data=rest, **options)
    assert named.scores == apart.scores and named.baseline == apart.baseline
    assert named.evaluate().scores == pytest.approx(named.scores)
    assert named.folder.metrics()[-1]["scores"] != named.scores  # those of the validation part
    unseen = named.evaluate(table)
    assert list(unseen.scores) == [*unseen.baseline, "coverage_80"]


def test_the_same_run_twice_is_the_same_whatever_was_guessed(table: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"target": "a", "epochs": 2, "hidden_size": 4, "threads": 1}
    first = elman.train("forecast", table, run=tmp_path / "1", **options)
    again = elman.train(
        "forecast", table, run=tmp_path / "2", horizon=6, look_back=16, season=7, **options
    )  # fmt: skip
    settled = first.folder.options()["forecast"]
    assert settled == again.folder.options()["forecast"]
    assert first.scores == again.scores
    # A finished run goes on from what it guessed.
    assert elman.resume(first.path, epochs=3).scores


def test_a_network_learns_what_the_last_value_does_not_tell(tmp_path: Path) -> None:
    draw, y = np.random.default_rng(3), [0.0, 0.0]
    for _ in range(300):
        y.append(1.6 * y[-1] - 0.9 * y[-2] + draw.normal())
    path = tmp_path / "ar.csv"
    path.write_text("y\n" + "\n".join(f"{v:.5f}" for v in y) + "\n")
    run = elman.train(
        "forecast", path, run=tmp_path / "run", horizon=2, look_back=4, season=1, epochs=15,
        hidden_size=16, scaling="series", learning_rate=0.01, threads=1, share=1.0, members=1,
    )  # fmt: skip
    # The noise alone leaves about half of the error of the last value.
    assert run.scores["mae"] < 0.7 * run.folder.verdict().rivals["last value repeated"]["mae"]


@pytest.mark.pictures
def test_pictures_take_any_number_of_series_and_quantiles(table: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    data = _read(table, target="a,b")
    made, _ = forecasts(_network(data), data, data.check, "cpu")
    errors = {"network": by_step(data, data.check, made[:, :, 0])}
    assert pictures.draw(data, data.check, made, (), errors, tmp_path)
    assert (tmp_path / "forecast.png").stat().st_size > 10_000
    assert conformal.pairs((0.1, 0.3, 0.5, 0.7, 0.9)) == [(0, 4), (1, 3)]


def test_words_that_are_not_used_are_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    days = [str(np.datetime64("2024-01-01") + k) for k in range(40)]
    path.write_text(
        "label,day,review,checked,price,shop\n"
        + "".join(f"{k % 2},{d},fine {k},{d},{k},{'' if k < 9 else 'n'}\n"
                  for k, d in enumerate(days))
    )  # fmt: skip
    (line,) = [w for w in TASK.examine(_read(path)).warnings if "words" in w]
    assert "not used: review, shop; " in line and "elman train classify" in line
    # What is named, what holds numbers or dates, is no cause for it.
    read = _read(path, target="price", static_columns="shop")
    (line,) = [w for w in TASK.examine(read).warnings if "words" in w]
    assert "not used: review; " in line
    told = TASK.examine(read).facts
    assert any("not used: label" in fact for fact in told)
    assert any('dates that are not used: checked; the times are those of "day"' in f for f in told)
    quiet = _read(path, target="price", static_columns="shop,review")
    assert not [w for w in TASK.examine(quiet).warnings if "words" in w]


def test_the_year_is_read_where_it_is_asked_for_alone(tmp_path: Path) -> None:
    path = tmp_path / "y.csv"
    months = np.arange("1900-01", "1960-01", dtype="datetime64[M]")
    for every, cycles in ((1, ("month",)), (12, ())):
        rows = (f"{month},{k % 7}\n" for k, month in enumerate(months[::every]))
        path.write_text("ds,y\n" + "".join(rows))
        assert _read(path).settings.calendar == cycles
        assert _read(path, calendar="year").settings.calendar == ("year",)


WRONG: dict[str, tuple[str, ...]] = {
    'column "aa"; did you mean "a"': ("--target", "aa"),
    "give a smaller --look-back or --horizon": ("--target", "a", "--look-back", "50"),
    "--log needs values above 0; number": ("--target", "wind", "--log"),
    "needs rising values, 0.5 among them": ("--quantiles", "0.1,0.9"),
    "needs --steps-ahead direct": ("--steps-ahead", "recursive", "--segment", "2"),
    "needs whole numbers from 0 on": ("--distribution", "negative-binomial"),
    "--seasonal True: needs no --distribution tweedie": ("--distribution", "tweedie", "--seasonal"),
    "normal or student with": ("--distribution", "tweedie", "--steps-ahead", "recursive"),
    "no --smoothing beside it": ("--smoothing", "7", "--segment", "2"),
    "is no multiple of it": ("--segment", "4", "--look-back", "6"),
    "no series goes on until there": ("--target", "a", "--test-from", "2030-01-01"),
    'unknown calendar "moon"': ("--calendar", "moon"),
    "--validation-from soon: needs a date as 2024-02-01": ("--validation-from", "soon"),
    'no file "gone.csv"': ("--test-data", "gone.csv"),
    "reaches a season, 2": ("--steps-ahead", "recursive", "--seasonal", "--season", "2"),
}


@pytest.mark.parametrize("line", WRONG)
def test_what_is_wrong_is_one_clear_line(table: Path, tmp_path: Path, line: str) -> None:
    run = tmp_path / "run"
    ended = call("train", "forecast", table, "--horizon", "5", "--run", run, *WRONG[line])
    assert ended.code == 2 and line in ended.err and not run.exists(), ended.err
    assert len(ended.err.splitlines()) == 1


def test_series_of_another_kind_are_refused_by_a_trained_model(table: Path, tmp_path: Path) -> None:
    run, other = tmp_path / "run", tmp_path / "other.csv"
    _train(run, table, "--target", "a")
    other.write_text("date,a\n" + "".join(f"20{k}-01-01,{k}\n" for k in range(10, 60)))
    ended = call("predict", run, other)
    assert ended.code == 2 and "yearly, where the model was trained on daily" in ended.err
    lines = table.read_text().splitlines()
    other.write_text("\n".join(lines[:8]) + "\n")
    ended = call("predict", run, other)
    assert ended.code == 2 and '"a" has 7 values, where the model needs' in ended.err


def test_short_series_are_left_out_if_asked(tmp_path: Path) -> None:
    rows = [["unique_id", "ds", "y"]]
    for name, length in (("long", 60), ("short", 8)):
        rows += [[name, str(k), str(k % 5)] for k in range(length)]
    path = tmp_path / "s.csv"
    path.write_text("\n".join(map(",".join, rows)) + "\n")
    with pytest.raises(UserError, match=r'line 62: "short" has 4 values for training'):
        _read(path)
    data = _read(path, skip_bad_rows=True)
    assert data.fitted.names == ("long",) and data.bad.count == 1
    assert get("forecast") is TASK
    assert "1 row or series left out" in " ".join(TASK.examine(data).warnings)
