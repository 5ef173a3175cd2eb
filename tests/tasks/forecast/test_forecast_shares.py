"""A share of the network for each series: found where it is nearer, by what is not scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import panels
import pytest
import torch
from numpy.typing import NDArray
from panels import file_of, network

import elman
from elman.tasks.forecast import page
from elman.tasks.forecast.data import Panel
from elman.tasks.forecast.errors import scaled_errors
from elman.tasks.forecast.mixing.mixture import forecasts
from elman.tasks.forecast.mixing.shares import FINE, SERIES, Shares, mixed_errors
from elman.tasks.forecast.networks.network import Network
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.forecast.simple import naive

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CPU = torch.device("cpu").type
SEEDS = range(4)
ALL, LEARNT = range(2)  # parts that shares are by


def _read(path: Path, held: float = 0.3, **options: Any) -> tuple[Panel, ForecastOptions]:
    return panels.read(path, held, **options)


def _walks(path: Path, seed: int, series: int) -> Panel:
    draw = np.random.default_rng(seed)
    return _read(file_of(path, draw.normal(size=(int(draw.integers(150, 300)), series)).cumsum(0)))[
        0
    ]


def _fitted(data: Panel, usual: float, made: Floats, simple: Floats) -> Shares:
    """By forecasts [N, H] of the windows for training, and then of those for validation."""
    shares, n = Shares(len(data.lengths), usual), len(data.train)
    grid = (*FINE, usual)
    shares.fit(
        mixed_errors(data, data.train, made[:n], simple[:n], grid),
        mixed_errors(data, data.check, made[n:], simple[n:], grid),
        data.settings.horizon,
    )
    return shares


def _windows(data: Panel) -> Ints:
    return np.concatenate([data.train, data.check])


def _apart(draw: np.random.Generator, data: Panel) -> tuple[Floats, Floats, Any]:
    """What two forecasters made of all windows, and of which series the first is the nearer."""
    windows = _windows(data)
    y, known = data.values(windows), draw.random(len(data.lengths)) < 0.5
    first, second = (draw.normal(size=y.shape) for _ in range(2))
    near = known[windows[:, 0], None]
    return y + np.where(near, 0.3, 2) * first, y + np.where(near, 2, 0.3) * second, known


@pytest.mark.parametrize("seed", SEEDS)
def test_each_series_goes_by_the_forecast_that_knows_it(tmp_path: Path, seed: int) -> None:
    draw = np.random.default_rng(seed)
    data = _walks(tmp_path / "a.csv", seed, int(draw.integers(SERIES, 25)))
    made, simple, known = _apart(draw, data)
    shares, numbers = _fitted(data, 0.5, made, simple), np.arange(len(known))
    for scored in (False, True):
        own = shares.of(numbers, np.full(len(known), scored))
        assert shares.differ and (own[known] > 0.5).all() and (own[~known] < 0.5).all()
        assert set(own) <= set(FINE)
    n, windows = len(data.train), data.check
    w = own[windows[:, 0], None]
    mixed = scaled_errors(data, windows, w * made[n:] + (1 - w) * simple[n:]).mean()
    for one in FINE:
        alike = scaled_errors(data, windows, one * made[n:] + (1 - one) * simple[n:])
        assert mixed < alike.mean()


@pytest.mark.parametrize("horizon", [1, 4, 12])
def test_series_share_as_before_where_none_is_known_better(tmp_path: Path, horizon: int) -> None:
    """Forecasters that guess where random walks go, or that know where they went in the training
    part, get other shares in hardly any of many, however few windows there are to score."""
    found = 0
    for seed in range(30):
        draw = np.random.default_rng(seed)
        columns = draw.normal(size=(int(draw.integers(100, 200)), int(draw.integers(SERIES, 25))))
        path = file_of(tmp_path / "a.csv", columns.cumsum(0))
        data, _ = _read(path, held=1.5 * horizon / len(columns), horizon=horizon)
        windows = _windows(data)
        simple = naive.last_value(data, windows)
        slopes = 0.3 * draw.normal(size=len(data.lengths))[windows[:, 0], None]
        made = simple + slopes * np.arange(1, horizon + 1)
        n, of = len(data.train), data.train[:, 0] % 2 == 0
        made[:n][of] = 0.5 * made[:n][of] + 0.5 * data.values(data.train[of])
        found += _fitted(data, 0.25, made, simple).differ
    assert found <= 4


def test_one_other_share_of_all_is_found_where_series_are_alike(tmp_path: Path) -> None:
    same = 0
    for seed in range(8):
        draw = np.random.default_rng(seed)
        columns = draw.normal(size=(36, int(draw.integers(20, 40)))).cumsum(0)
        data, _ = _read(file_of(tmp_path / "a.csv", columns))
        y = data.values(_windows(data))
        made, simple = (y + draw.normal(scale=s, size=y.shape) for s in (0.5, 1.0))
        shares = _fitted(data, 0.25, made, simple)
        assert shares.differ and float(shares.new[ALL]) >= 0.6
        same += float(shares.own.std(1).max()) == 0
    assert same >= 6  # of eight; in others their own seem a little nearer


def test_a_few_series_share_alike(tmp_path: Path) -> None:
    data = _walks(tmp_path / "a.csv", 1, SERIES - 1)
    made, simple, _ = _apart(np.random.default_rng(1), data)
    assert not _fitted(data, 0.5, made, simple).differ


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_scored_does_not_count_for_its_own_share(tmp_path: Path, seed: int) -> None:
    draw = np.random.default_rng(seed)
    data = _walks(tmp_path / "a.csv", seed, int(draw.integers(SERIES, 25)))
    made, simple, _ = _apart(draw, data)
    shares = _fitted(data, 0.5, made, simple)
    other, n = made.copy(), len(data.train)
    other[n:] = 1.25 * made[n:] - 0.25 * simple[n:]  # less of it is nearer then
    again = _fitted(data, 0.5, other, simple)
    assert again.differ and shares.differ
    assert torch.equal(again.own[LEARNT], shares.own[LEARNT])
    assert not torch.equal(again.own[ALL], shares.own[ALL])
    ends = data.train[:, 1] + data.settings.horizon
    for number in range(len(data.lengths)):
        first = data.check[data.check[:, 0] == number, 1].min()
        assert ends[data.train[:, 0] == number].max() <= first


@pytest.mark.parametrize("seed", SEEDS)
def test_a_series_is_forecast_as_if_its_share_were_that_of_all(tmp_path: Path, seed: int) -> None:
    draw = np.random.default_rng(seed)
    path = file_of(tmp_path / "a.csv", np.exp(0.1 * draw.normal(size=(80, 12)).cumsum(0)))
    how: dict[str, Any] = {"log": bool(seed % 2), "beside": "drift", "quantiles": "0.1,0.5,0.9"}
    data, own = _read(path, each_share=True, share=0.5, **how)
    model = network(data, own)
    assert model.mixing is not None
    each = draw.choice([0.0, 0.3, 0.8, 1.0], size=12)
    model.mixing.own[LEARNT] = torch.from_numpy(each)
    model.mixing.own[ALL] = torch.from_numpy(1 - each)
    made, _ = forecasts(model, data, data.check, CPU)
    for share in (0.0, 0.3, 0.8, 1.0):
        _, alone = _read(path, share=share, **how)
        same, _ = forecasts(network(data, alone), data, data.check, CPU)
        rows = each[data.check[:, 0]] == share
        assert np.allclose(made[rows], same[rows], rtol=1e-6)
        assert share > 0 or np.array_equal(made[rows, :, 1], same[rows, :, 1])
    later = data.train[draw.permutation(len(data.train))]  # of no part that is scored
    model.mixing.own[:] = model.mixing.own.flip(0).clone()
    other, _ = forecasts(model, data, later, CPU)
    rows = each[later[:, 0]] == 0
    assert rows.any() and np.array_equal(
        other[rows, :, 1], naive.SIMPLE["drift"].make(data, later)[rows]
    )
    model.mixing.own[LEARNT] = model.mixing.own[ALL]
    step = int(draw.integers(2, 40))
    few, _ = forecasts(model, data, data.check[::step], CPU)
    assert np.allclose(few, made[::step], rtol=1e-6)


def test_the_report_says_whose_shares_they_are(tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    data, own = _read(
        file_of(tmp_path / "a.csv", draw.normal(size=(60, 12))), each_share=True, share=0.5
    )
    model = network(data, own)
    assert model.mixing is not None and page.shared(model, tested=True) == []
    model.mixing.own[:], model.mixing.new[:] = 0.7, 0.7
    (line, _) = page.shared(model, tested=True)
    assert "in every forecast is 70%" in line and "its own" not in line
    model.mixing.own[:] = torch.from_numpy(draw.permutation(12) / 11)
    (line, _) = page.shared(model, tested=False)
    assert "share of its own" in line and "of a new series 70%" in line
    assert "four of five 9% to 91%" in line and "training part alone" in line


def test_a_run_gives_series_their_own_shares_and_keeps_them(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    maps, walks = np.empty((260, 12)), draw.normal(size=(260, 4)).cumsum(0)
    x = draw.random(12)
    for row in maps:  # logistic maps: no linear forecast knows what comes next
        x = 3.9 * x * (1 - x)
        row[:] = x
    path = file_of(tmp_path / "a.csv", np.concatenate([maps, walks], 1))
    options: dict[str, Any] = {
        "hidden_size": 16, "look_back": 2, "horizon": 1, "season": 1, "members": 1,
        "learning_rate": 0.02, "threads": 1, "scaling": "series", "segment": 0, "log": False,
        "beside": "last-value", "epochs": 10, "sample": 0,
    }  # fmt: skip
    run = elman.train("forecast", path, run=tmp_path / "run", **options)
    assert run.folder.options()["forecast"]["each_share"] is True
    model = run.model
    assert isinstance(model, Network) and model.mixing is not None and model.mixing.differ
    own = model.mixing.own[ALL]
    assert own[:12].min() > own[12:].max()
    again = elman.load(run.path).model
    assert isinstance(again, Network) and again.mixing is not None
    assert torch.equal(again.mixing.own, model.mixing.own)
    assert "share of its own" in (run.path / "report.md").read_text()
    told = elman.train("forecast", path, run=tmp_path / "told", share=0.5, **options)
    assert isinstance(told.model, Network) and told.model.mixing is None
