"""A share of the network for each series: found where it is nearer, by what is not scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import elman
from elman.run.options import parse
from elman.tasks.forecast import reading
from elman.tasks.forecast.data import Panel
from elman.tasks.forecast.errors import scaled_errors
from elman.tasks.forecast.intervals.conformal import later
from elman.tasks.forecast.mixing.mixture import forecasts
from elman.tasks.forecast.mixing.shares import FINE, SERIES, Shares, apart_from
from elman.tasks.forecast.model import make, widths_of
from elman.tasks.forecast.networks.network import Network
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.forecast.simple import naive
from elman.tasks.forecast.trials import ways

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CPU = torch.device("cpu").type
SMALL: dict[str, Any] = {"hidden_size": 5, "look_back": 7, "horizon": 4, "season": 3}
SEEDS = range(4)
WHOLE, FIRST, SECOND = range(3)  # parts that shares are fitted by


def _file(path: Path, columns: Floats) -> Path:
    names = [f"s{k}" for k in range(columns.shape[1])]
    rows = [",".join(f"{v:.9g}" for v in row) for row in columns]
    path.write_text("\n".join([",".join(names), *rows]) + "\n")
    return path


def _read(path: Path, held: float = 0.3, **options: Any) -> tuple[Panel, ForecastOptions]:
    own, _ = parse("forecast", SMALL | options)
    assert isinstance(own, ForecastOptions)
    return reading.read([str(path)], own, held), own


def _walks(path: Path, seed: int, series: int) -> Panel:
    draw = np.random.default_rng(seed)
    return _read(_file(path, draw.normal(size=(int(draw.integers(150, 300)), series)).cumsum(0)))[0]


def _apart(draw: np.random.Generator, data: Panel, windows: Ints) -> tuple[Floats, Floats, Any]:
    """What two forecasters made of windows, and of which series the first is the nearer."""
    y, known = data.values(windows), draw.random(len(data.lengths)) < 0.5
    first, second = (draw.normal(size=y.shape) for _ in range(2))
    near = known[windows[:, 0], None]
    return y + np.where(near, 0.3, 2) * first, y + np.where(near, 2, 0.3) * second, known


@pytest.mark.parametrize("seed", SEEDS)
def test_each_series_goes_by_the_forecast_that_knows_it(tmp_path: Path, seed: int) -> None:
    draw = np.random.default_rng(seed)
    data = _walks(tmp_path / "a.csv", seed, int(draw.integers(SERIES, 25)))
    windows = data.check
    made, simple, known = _apart(draw, data, windows)
    shares = Shares(len(data.lengths), 0.5)
    late = later(windows)
    shares.fit(data, windows[~late], made[~late], simple[~late])
    own = shares.of(np.arange(len(known)), np.zeros(len(known), np.int64))
    assert shares.differ and (own[known] > 0.5).all() and (own[~known] < 0.5).all()
    assert set(own) <= set(FINE)
    w = own[windows[late, 0], None]
    mixed = scaled_errors(data, windows[late], w * made[late] + (1 - w) * simple[late]).mean()
    for one in FINE:
        alike = scaled_errors(data, windows[late], one * made[late] + (1 - one) * simple[late])
        assert mixed < alike.mean()


def test_series_share_as_before_where_none_is_known_better(tmp_path: Path) -> None:
    """Forecasters that guess where random walks go get other shares in hardly any of many."""
    found = 0
    for seed in range(30):
        draw = np.random.default_rng(seed)
        data = _walks(tmp_path / "a.csv", seed, int(draw.integers(SERIES, 25)))
        windows = data.check
        simple = naive.last_value(data, windows)
        slopes = 0.3 * draw.normal(size=len(data.lengths))[windows[:, 0], None]
        shares = Shares(len(data.lengths), 0.25)
        shares.fit(data, windows, simple + slopes * np.arange(1, 5), simple)
        found += shares.differ
    assert found <= 4


def test_a_few_series_share_alike(tmp_path: Path) -> None:
    data = _walks(tmp_path / "a.csv", 1, SERIES - 1)
    made, simple, _ = _apart(np.random.default_rng(1), data, data.check)
    shares = Shares(len(data.lengths), 0.5)
    shares.fit(data, data.check, made, simple)
    assert not shares.differ


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_scored_does_not_count_for_its_own_share(tmp_path: Path, seed: int) -> None:
    draw = np.random.default_rng(seed)
    data = _walks(tmp_path / "a.csv", seed, int(draw.integers(SERIES, 25)))
    windows, horizon = data.check, data.settings.horizon
    made, simple, _ = _apart(draw, data, windows)
    late, shares = later(windows), Shares(len(data.lengths), 0.5)
    shares.fit(data, windows, made, simple)
    for part, scored in ((FIRST, late), (SECOND, ~late)):
        seen = np.zeros(data.raw.shape, dtype=bool)  # values that are scored by this part's shares
        starts = data.starts[windows[scored, 0]] + windows[scored, 1]
        seen[starts[:, None] + np.arange(horizon)] = True
        raw = np.where(seen, data.raw + 0.1 * draw.normal(size=seen.shape), data.raw)
        other = Panel(**{**vars(data), "raw": raw})
        again, far = Shares(len(data.lengths), 0.5), 1.25 * made - 0.25 * simple
        again.fit(other, windows, np.where(scored[:, None], far, made), simple)
        assert again.differ and shares.differ
        assert torch.equal(again.own[part], shares.own[part])
        assert not torch.equal(again.own[WHOLE], shares.own[WHOLE])


def test_halves_that_share_values_are_told_apart() -> None:
    draw = np.random.default_rng(2)
    origins = [np.sort(draw.choice(60, size=9, replace=False)) for _ in range(8)]
    windows = np.concatenate([np.stack([np.full(9, k), o], 1) for k, o in enumerate(origins)])
    late, horizon = later(windows), int(draw.integers(2, 9))
    apart = apart_from(windows, late, horizon)
    for (number, origin), second, free in zip(windows, late, apart, strict=True):
        others = windows[(windows[:, 0] == number) & (late != second), 1]
        assert free == (np.abs(others - origin) >= horizon).all()


def _network(data: Panel, own: ForecastOptions) -> Network:
    torch.manual_seed(1)
    settled = ways.settled(data, own)
    return make(settled, data.settings, widths_of(data.fitted, 0)).eval()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_series_is_forecast_as_if_its_share_were_that_of_all(tmp_path: Path, seed: int) -> None:
    draw = np.random.default_rng(seed)
    path = _file(tmp_path / "a.csv", np.exp(0.1 * draw.normal(size=(80, 12)).cumsum(0)))
    how: dict[str, Any] = {"log": bool(seed % 2), "beside": "drift", "quantiles": "0.1,0.5,0.9"}
    data, own = _read(path, each_share=True, share=0.5, **how)
    model = _network(data, own)
    assert model.mixing is not None
    each = draw.choice([0.0, 0.3, 0.8, 1.0], size=12)
    model.mixing.own[:] = torch.from_numpy(each)
    made, _ = forecasts(model, data, data.check, CPU)
    for share in (0.0, 0.3, 0.8, 1.0):
        _, alone = _read(path, share=share, **how)
        same, _ = forecasts(_network(data, alone), data, data.check, CPU)
        rows = each[data.check[:, 0]] == share
        assert np.allclose(made[rows], same[rows], rtol=1e-6)
        assert share > 0 or np.array_equal(made[rows, :, 1], same[rows, :, 1])
    step = int(draw.integers(2, 40))
    few, _ = forecasts(model, data, data.check[::step], CPU)
    assert np.allclose(few, made[::step], rtol=1e-6)


def test_a_run_gives_series_their_own_shares_and_keeps_them(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    maps, walks = np.empty((260, 12)), draw.normal(size=(260, 4)).cumsum(0)
    x = draw.random(12)
    for row in maps:  # logistic maps: no linear forecast knows what comes next
        x = 3.9 * x * (1 - x)
        row[:] = x
    path = _file(tmp_path / "a.csv", np.concatenate([maps, walks], 1))
    options: dict[str, Any] = {
        "hidden_size": 16, "look_back": 2, "horizon": 1, "season": 1, "members": 1,
        "learning_rate": 0.02, "threads": 1, "scaling": "series", "segment": 0, "log": False,
        "beside": "last-value", "epochs": 10, "sample": 0,
    }  # fmt: skip
    run = elman.train("forecast", path, run=tmp_path / "run", **options)
    assert run.folder.options()["forecast"]["each_share"] is True
    model = run.model
    assert isinstance(model, Network) and model.mixing is not None and model.mixing.differ
    own = model.mixing.own[WHOLE]
    assert own[:12].min() > own[12:].max()
    again = elman.load(run.path).model
    assert isinstance(again, Network) and again.mixing is not None
    assert torch.equal(again.mixing.own, model.mixing.own)
    assert "share of its own" in (run.path / "report.md").read_text()
    told = elman.train("forecast", path, run=tmp_path / "told", share=0.5, **options)
    assert isinstance(told.model, Network) and told.model.mixing is None
