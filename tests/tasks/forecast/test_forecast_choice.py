"""Which way a forecaster takes, and how much of the forecast is the network's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import panels
import pytest
import torch
from numpy.typing import NDArray
from panels import file_of, network

import elman
from elman.tasks.forecast import reading, rivals
from elman.tasks.forecast.data import Panel
from elman.tasks.forecast.errors import scaled_errors
from elman.tasks.forecast.mixing import shares as mixing
from elman.tasks.forecast.mixing.mixture import forecasts
from elman.tasks.forecast.model import Members
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.forecast.simple import naive
from elman.tasks.forecast.simple.autoregression import autoregressed
from elman.tasks.forecast.task import TASK
from elman.tasks.forecast.trials import choice, trial, ways

Floats = NDArray[np.float64]
CPU = torch.device("cpu").type


def _read(path: Path, held: float = 0.2, **options: Any) -> tuple[Panel, ForecastOptions]:
    return panels.read(path, held, **options)


@pytest.mark.parametrize("log", [False, True])
def test_a_mixture_lies_between_its_two_forecasts(tmp_path: Path, log: bool) -> None:
    draw = np.random.default_rng(2)
    path = file_of(tmp_path / "a.csv", np.exp(0.1 * draw.normal(size=(60, 2)).cumsum(0)))
    made: dict[float, Floats] = {}
    for share in (0.0, 0.3, 0.8, 1.0):
        data, own = _read(
            path, log=log, share=share, beside="drift", quantiles="0.1,0.5,0.9", members=2
        )
        made[share], _ = forecasts(network(data, own), data, data.check, CPU)
    simple = naive.SIMPLE["drift"].make(data, data.check)
    # What the network reads and writes is float32.
    assert np.array_equal(made[0.0][:, :, 1], simple)
    units = np.log if log else np.asarray
    for share in (0.3, 0.8):
        middle = share * units(made[1.0]) + (1 - share) * units(simple)[:, :, None]
        assert np.allclose(units(made[share])[:, :, 1], middle[:, :, 1], rtol=1e-5, atol=1e-6)
    # Quantiles are moved alike: their distances are those of the network.
    for share in (0.0, 0.3, 0.8):
        apart = np.diff(units(made[share]), axis=2) - np.diff(units(made[1.0]), axis=2)
        assert np.abs(apart).max() < 1e-5


def test_members_learn_alone_and_forecast_their_median(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    path = file_of(tmp_path / "a.csv", draw.normal(size=(60, 1)))
    data, own = _read(path, members=3, dropout=0.0)
    model = network(data, own)
    assert isinstance(model, Members) and len(model.each) == 3
    batch = data.batch(data.train[:5])
    made = torch.stack([one(batch.inputs) for one in model.each])
    assert torch.allclose(model(batch.inputs), made.median(0).values)
    assert len({float(one[0, 0, 0]) for one in made.detach()}) == 3
    total, count, _ = TASK.loss(model, batch, None, CPU)
    losses = (made[..., 0] - batch.target).abs().sum((1, 2))
    assert count == batch.target.numel()
    assert torch.allclose(total, losses.mean())


def _share(data: Panel, windows: Any, made: Floats, simple: Floats) -> tuple[float, Floats]:
    """The share found, and the mean errors of all mixtures."""
    shares = (0.0, *mixing.SHARES)
    errors = mixing.mixed_errors(data, windows, made, simple, shares)
    return shares[mixing.surely_best(errors.scaled, errors.units)], errors.scaled.mean(0)


def test_the_share_is_none_unless_the_gain_is_sure(tmp_path: Path) -> None:
    draw = np.random.default_rng(4)
    data, _ = _read(file_of(tmp_path / "a.csv", draw.normal(size=(600, 1)).cumsum(0)), held=0.3)
    windows = data.check
    y, simple = data.values(windows), naive.last_value(data, windows)
    noise = draw.normal(size=(len(windows) // 8 + 1, 1)).repeat(8, 0)[: len(windows)]
    for error, shares in ((0.0, {1.0}), (0.3, {0.75, 1.0}), (5.0, {0.0})):
        share, means = _share(data, windows, y + error * noise, simple)
        assert share in shares and means[(0.0, *mixing.SHARES).index(share)] == means.min()
        other = scaled_errors(data, windows, simple).mean()
        assert means[0] == pytest.approx(other)
    few = windows[:3]
    slight = 0.1 * data.values(few) + 0.9 * simple[:3]
    assert _share(data, few, slight, simple[:3])[0] == 0.0


def test_shares_are_seldom_found_where_nothing_is_known(tmp_path: Path) -> None:
    """A forecast that guesses where a random walk goes gets a share in hardly any of many."""
    draw = np.random.default_rng(5)
    data, _ = _read(file_of(tmp_path / "a.csv", draw.normal(size=(300, 40)).cumsum(0)), held=0.3)
    found = 0
    for k in range(40):
        windows = data.check[data.check[:, 0] == k]
        simple = naive.last_value(data, windows)
        guess = simple + 0.5 * draw.normal() * np.arange(1, 5)
        found += _share(data, windows, guess, simple)[0] > 0
    assert found <= 4


def test_of_short_series_there_are_several_back_tests(tmp_path: Path) -> None:
    draw = np.random.default_rng(10)
    data, own = _read(file_of(tmp_path / "a.csv", draw.normal(size=(125, 1))))
    (way, *_) = ways.ways(data, own, None, None)
    folds = trial.trial_of(data, way, 0, CPU).folds
    ends = [int(fold.panel.lengths[0]) for fold in folds]
    assert ends == [100, 80, 64]  # a fifth of 125 is for validation
    for fold, begin in zip(folds, (80, 64, 51), strict=True):
        assert int(fold.panel.train[:, 1].max()) + 4 == begin == int(fold.panel.check[0, 1])


def test_back_tests_see_the_training_part_alone(tmp_path: Path) -> None:
    draw = np.random.default_rng(6)
    columns = np.exp(0.1 * draw.normal(size=(120, 2)).cumsum(0))
    data, own = _read(file_of(tmp_path / "a.csv", columns), test_from="100")
    later = columns.copy()
    later[80:] *= 7  # the validation part, a fifth of 100, and the test part
    other, _ = _read(file_of(tmp_path / "b.csv", later), test_from="100")
    settled = replace(ways.settled(data, own), log=True, seasonal=True)
    first, second = (reading.back_test(one, settled, 0.3, 9) for one in (data, other))
    assert first.lengths.tolist() == [79, 79] and first.test is None
    assert np.array_equal(first.raw, second.raw, equal_nan=True)
    assert int(first.train[:, 1].max()) + 4 <= int(first.check[:, 1].min())
    found = [rivals.chosen(one) for one in (data, other)]
    assert found[0] == found[1]
    both = [ways.ways(one, own, None, None) for one in (data, other)]
    assert [way.told for way in both[0]] == [way.told for way in both[1]]
    chosen = [
        choice.choose(one, both[0], None, found[0], trial.Allowance(None, 200), CPU)
        for one in (data, other)
    ]
    assert chosen[0] == chosen[1] and chosen[0].tried == 1


def test_what_the_user_fixed_stays_fixed(tmp_path: Path) -> None:
    draw = np.random.default_rng(7)
    path = file_of(tmp_path / "a.csv", np.exp(0.05 * draw.normal(size=(200, 1)).cumsum(0)))
    fixed: dict[str, Any] = {"log": False, "seasonal": False, "segment": 0, "scaling": "series"}
    data, own = _read(path, **fixed)
    (way,) = ways.ways(data, own, None, None)
    assert all(getattr(way.options, name) == value for name, value in fixed.items())
    data, own = _read(path)
    found = ways.ways(data, own, 9, 0.01)
    assert len(found) >= 5 and len({way.told for way in found}) == len(found)
    assert {way.options.look_back for way in found} == {7}
    assert {(way.batch_size, way.learning_rate) for way in found} == {(9, 0.01)}
    # Values near 0, or below, are no cause for logarithms.
    data, own = _read(file_of(path, draw.normal(size=(200, 1))))
    assert not any(way.options.log for way in ways.ways(data, own, None, None))


def test_a_network_that_knows_more_gets_its_share_and_one_of_noise_none(tmp_path: Path) -> None:
    draw = np.random.default_rng(8)
    known, y = [0.2], []
    for _ in range(300):  # a logistic map: no linear forecast knows what comes next
        known.append(3.9 * known[-1] * (1 - known[-1]))
        y.append(known[-1])
    options: dict[str, Any] = {
        "epochs": 12, "hidden_size": 16, "look_back": 2, "horizon": 1, "season": 1, "members": 1,
        "learning_rate": 0.02, "threads": 1, "scaling": "series", "segment": 0, "log": False,
    }  # fmt: skip
    run = elman.train("forecast", file_of(tmp_path / "a.csv", np.array(y)[:, None]),
                      run=tmp_path / "known", **options)  # fmt: skip
    assert run.folder.options()["forecast"]["share"] == 1.0
    assert run.folder.verdict().gained and "is better than" in run.verdict
    walk = draw.normal(size=(150, 2)).cumsum(0)
    run = elman.train("forecast", file_of(tmp_path / "b.csv", walk), run=tmp_path / "walk",
                      **options | {"epochs": 2})  # fmt: skip
    assert run.folder.options()["forecast"]["share"] == 0.0
    assert run.scores.items() >= run.baseline.items()
    assert run.verdict.startswith("WARNING: nothing is gained")


@pytest.mark.parametrize("seed", range(3))
def test_random_walks_are_never_said_to_be_foreseen(tmp_path: Path, seed: int) -> None:
    draw = np.random.default_rng(seed)
    length, several = int(draw.integers(60, 400)), int(draw.integers(1, 4))
    steps = 0.02 * draw.standard_t(4, size=(length, several)) + draw.choice([0.0, 0.005])
    path = file_of(tmp_path / "w.csv", 50 * np.exp(steps.cumsum(0)))
    run = elman.train(
        "forecast", path, run=tmp_path / "run", epochs=2, hidden_size=4, threads=1, members=1,
        log=bool(seed % 2),
    )  # fmt: skip
    assert not run.folder.verdict().gained and "WARNING: nothing is gained" in run.verdict
    assert not run.evaluate().beats_baseline


def test_an_autoregression_finds_what_made_a_series() -> None:
    draw = np.random.default_rng(9)
    y = [10.0, 10.0]
    for _ in range(3000):
        y.append(3.0 + 1.3 * y[-1] - 0.6 * y[-2] + 0.1 * draw.normal())
    values, n = np.array(y), 2500
    made = autoregressed(values, 1, 3, np.array([n, 30]))
    expected = list(values[n - 2 : n])
    for _ in range(3):
        expected.append(3.0 + 1.3 * expected[-1] - 0.6 * expected[-2])
    assert np.abs(made[0] - expected[2:]).max() < 0.03  # a third of the noise, at 2,500 values
    # A series that grows by shares of itself is straight in logarithms.
    grown = np.exp(0.03 * np.arange(60) + 0.01 * draw.normal(size=60))
    far = autoregressed(grown, 1, 6, np.array([60]))[0]
    assert np.abs(np.log(far) - 0.03 * np.arange(60, 66)).max() < 0.05
    # Values of 0 and below, even where none was before.
    crossed = np.concatenate([grown, [0.0, -1.0]])
    assert np.isfinite(autoregressed(crossed, 1, 6, np.array([20, 60, 61, 62]))).all()
