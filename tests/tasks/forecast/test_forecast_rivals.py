"""What a forecaster has to beat: simple forecasts, the choice among them, units of chance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from elman import chance
from elman.run.options import parse
from elman.run.verdict import judged
from elman.tasks.forecast import reading, rivals
from elman.tasks.forecast.data import Panel
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.forecast.scores import scores_of, tally_of
from elman.tasks.forecast.simple import naive, smoothing

Floats = NDArray[np.float64]
SMALL: dict[str, Any] = {"hidden_size": 5, "look_back": 7, "horizon": 4, "season": 3}


def _panel(path: Path, columns: Floats, share: float = 0.2, **options: Any) -> Panel:
    """Series [T, S] as a table without times."""
    names = [f"s{k}" for k in range(columns.shape[1])]
    rows = [",".join(f"{v:.9g}" for v in row) for row in columns]
    path.write_text("\n".join([",".join(names), *rows]) + "\n")
    own, _ = parse("forecast", SMALL | options)
    assert isinstance(own, ForecastOptions)
    return reading.read([str(path)], own, share)


def test_the_first_rival_is_the_best_simple_forecast_of_the_training_part(tmp_path: Path) -> None:
    draw = np.random.default_rng(7)
    kinds = {
        "last-value": draw.normal(size=(200, 9)).cumsum(0),
        "last-season": draw.normal(size=(50, 4, 9)).cumsum(0).reshape(200, 9),
        "drift": 3.0 * np.arange(200)[:, None] + draw.normal(size=(200, 9)).cumsum(0),
        "mean": 5 + draw.normal(size=(200, 9)),
    }
    for name, y in kinds.items():
        # The scored part is of another kind, and must not matter.
        y[160:] = y[100:140][::-1]
        data = _panel(tmp_path / "y.csv", y, season=4)
        assert rivals.chosen(data) == name or (name == "mean" and rivals.chosen(data) in SMOOTH)
        first, *_ = rivals.rivals(data, ForecastOptions(), data)
        assert first.name == naive.told(rivals.chosen(data), data)
        data = _panel(tmp_path / "y.csv", y, season=1)
        assert "last-season" not in naive.suited(data)


SMOOTH = ("smoothing", "theta", "both")


def test_simple_forecasts_are_right_where_they_ought_to_be(tmp_path: Path) -> None:
    t = np.arange(60)
    season = np.array([3.0, 1.0, 2.0])[t % 3]
    columns = np.stack([season, 2.0 * t + 1, np.full(60, 4.0), np.exp(0.1 * t) * season], 1)
    data = _panel(tmp_path / "n.csv", columns)
    y = data.values(data.check)
    of = [data.check[:, 0] == k for k in range(4)]
    simple: dict[str, naive.Simple] = {str(k): v for k, v in naive.SIMPLE.items()}
    for name, right in (
        ("last-season", (0, 2)), ("drift", (1, 2)), ("last-value", (2,)), ("mean", (2,)),
        ("smoothing", (0, 1, 2, 3)),
    ):  # fmt: skip
        made = simple[name].make(data, data.check)
        for k in range(4):
            # Written with nine digits; the season's first states are found to as many.
            assert np.allclose(made[of[k]], y[of[k]], rtol=1e-4) == (k in right), (name, k)
    assert "mase" not in scores_of(data, data.check[of[2]], y[of[2]][:, :, None])


def test_nothing_ahead_of_an_origin_nor_beside_it_changes_a_simple_forecast(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    season = int(draw.integers(2, 6))
    columns = np.exp(0.1 * draw.normal(size=(90, 3)).cumsum(0))
    data = _panel(tmp_path / "a.csv", columns, season=season)
    alone = data.check[[7]]
    later = columns.copy()
    later[alone[0, 1] :] = 77.0
    other = _panel(tmp_path / "b.csv", later, season=season)
    for name, one in naive.suited(data).items():
        whole = one.make(data, data.check)
        assert np.isfinite(whole).all(), name
        assert np.allclose(one.make(data, alone)[0], whole[7], rtol=1e-12), name
        assert np.allclose(one.make(other, alone)[0], whole[7], rtol=1e-12), name
        first = one.make(data, np.array([[0, 1], [2, 2], [1, 5]]))  # next to no past
        assert np.isfinite(first).all(), name


def test_pieces_of_long_series_forecast_what_the_whole_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(5)
    t = np.arange(900)
    y = np.sin(2 * np.pi * t / 12) + 0.1 * draw.normal(size=900).cumsum()
    data = _panel(tmp_path / "a.csv", y[:, None], season=12, horizon=12)
    whole = naive.SIMPLE["smoothing"].make(data, data.check)
    monkeypatch.setattr(smoothing, "PIECE", 300)
    data.memo.clear()
    cut = naive.SIMPLE["smoothing"].make(data, data.check)
    # Another past, so other first states and members; but as good.
    errors = [np.abs(made - data.values(data.check)).mean() for made in (whole, cut)]
    assert np.abs(errors[1] / errors[0] - 1) < 0.1 and not np.array_equal(whole, cut)


def test_smoothing_is_its_equations_value_by_value() -> None:
    draw = np.random.default_rng(11)
    y, H = draw.normal(size=40).cumsum(), 3
    made = smoothing.smoothed(y[None], 1, H, np.array([0]), np.array([40]))
    best = (np.inf, np.zeros(H))
    grid = smoothing.grid_of(1)
    for form, a, b, phi in zip(grid.form, grid.alpha, grid.beta, grid.phi, strict=True):
        slope = (y[9] - y[0]) / 9 if form else 0.0
        level, trend, sse = y[0] - slope, slope, 0.0
        for k, value in enumerate(y):
            error = value - level - phi * trend
            level, trend = level + phi * trend + a * error, phi * trend + b * error
            sse += error**2 if k >= 2 else 0.0
        size, n = 3 + 3 * form, 38
        aicc = n * np.log(sse / n) + 2 * size + 2 * size * (size + 1) / (n - size - 1)
        if aicc < best[0]:
            best = (aicc, level + trend * np.cumsum(phi ** np.arange(1, H + 1)))
    assert np.allclose(made.ets[0], best[1], rtol=1e-10)


def test_theta_is_the_mean_of_two_lines() -> None:
    """Assimakopoulos and Nikolopoulos 2000: the mean of the regression line drawn on and of simple
    smoothing of the values bent away from it twice as far."""
    draw = np.random.default_rng(13)
    n, H = 150, 4
    y = 0.3 * np.arange(n) + draw.normal(size=n).cumsum()
    made = smoothing.smoothed(y[None], 1, H, np.array([0]), np.array([n]))
    slope, start = np.polyfit(np.arange(n), y, 1)
    line = start + slope * np.arange(n + H)
    found = []
    for a in smoothing.grid_of(1).alpha[:10]:
        bent = 2 * y - line[:n]
        level = bent[0]
        for value in bent:
            level += a * (value - level)
        found.append(0.5 * line[n:] + 0.5 * level)
    # Of the smoothing constants one is taken, which is large here: first states have faded.
    assert min(np.abs(made.theta[0] - other).max() for other in found) < 1e-9 * np.ptp(y)


def test_the_interval_covers_what_is_no_better_and_no_more(tmp_path: Path) -> None:
    draw = np.random.default_rng(6)
    data = _panel(tmp_path / "n.csv", draw.normal(size=(600, 2)).round(4), share=0.5)
    y = data.values(data.check)
    apart = int((data.check[:, 0] == 0).sum())
    claimed = better = 0
    for _ in range(60):
        # Errors of one origin are those of the next, as its values are: only some are new.
        new = draw.normal(size=(2, 2, -(-apart // 4) + 1, y.shape[1])).repeat(4, 2)
        first, second = (e[:, :apart].reshape(y.shape) for e in new)
        far, near = (tally_of(data, data.check, y + e) for e in (first, second))
        found = chance.interval(near, far)
        assert found is not None
        claimed += found[1] < 0
        found = chance.interval(tally_of(data, data.check, y + 0.5 * second), far)
        assert found is not None
        better += found[1] < 0
    assert claimed <= 4 and better == 60


def test_the_tally_gives_the_first_score(tmp_path: Path) -> None:
    draw = np.random.default_rng(8)
    for columns, unit in (
        (draw.normal(size=(500, 3)), "time block"),
        (np.repeat(draw.normal(size=(80, 1)).cumsum(0), 3, 1), "time block"),  # go together
        (draw.normal(size=(80, 3)).cumsum(0), "series block"),
        (np.full((60, 1), 3.0), "time block"),  # never moves: smape
    ):
        data = _panel(tmp_path / "n.csv", columns)
        for rival in rivals.rivals(data, ForecastOptions(), data):
            assert rival.tally is not None and rival.tally.unit == unit
            score = rival.tally.score(rival.tally.sums.sum(0))
            assert float(score) == pytest.approx(next(iter(rival.scores.values())))


@pytest.mark.parametrize("kind", ["few values", "many series"])
def test_too_few_units_tell_nothing(tmp_path: Path, kind: str) -> None:
    draw = np.random.default_rng(9)
    columns = draw.normal(size=(40, 1)) if kind == "few values" else draw.normal(size=(40, 9))
    data = _panel(tmp_path / "n.csv", columns)
    others = rivals.rivals(data, ForecastOptions(), data)
    y = data.values(data.check)
    perfect = tally_of(data, data.check, y)
    scores = scores_of(data, data.check, y[:, :, None])
    assert judged(scores, perfect, others).gained is (kind == "many series")
