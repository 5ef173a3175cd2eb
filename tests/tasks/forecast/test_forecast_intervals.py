"""Intervals hold as much as they say; likelihoods are those of SciPy; paths move apart."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from calling import call
from numpy.typing import NDArray
from torch import Tensor, nn

import elman
from elman.run import checkpoint, refit
from elman.run.folder import RunFolder
from elman.run.options import parse
from elman.tasks.forecast import reading
from elman.tasks.forecast.data import Panel
from elman.tasks.forecast.intervals.conformal import (
    Bands,
    Residuals,
    bounds,
    later,
    recent,
    rising,
    thinned,
)
from elman.tasks.forecast.intervals.distributions import (
    DISTRIBUTIONS,
    Normal,
    above,
    student_quantile,
)
from elman.tasks.forecast.mixing.mixture import calibrate, forecasts
from elman.tasks.forecast.model import make, widths_of
from elman.tasks.forecast.networks.network import Network
from elman.tasks.forecast.networks.recursive import Recursive
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.forecast.scores import coverage, point
from elman.tasks.forecast.task import TASK

Floats = NDArray[np.float64]
SMALL: dict[str, Any] = {
    "hidden_size": 4, "look_back": 6, "horizon": 3, "season": 3, "dropout": 0.0, "identity": 0,
    "weight_drop": 0.0, "share": 1.0, "members": 1,
}  # fmt: skip


def _residuals(
    draw: np.random.Generator, sizes: Floats, each: int, made: Floats, spread: Floats
) -> Residuals:
    """Forecasts `made` [H, Q] of series that are off by so much times a skewed draw."""
    S, H = len(sizes), len(made)
    windows = np.stack([np.repeat(np.arange(S), each), np.tile(H * np.arange(each), S)], 1)
    noise = draw.gamma(2, 1, (S * each, H)) - 1.5
    # Windows of which some change more than others, and are off by more.
    unrest = draw.choice([0.5, 1.0, 1.5], len(windows))
    came = (sizes[windows[:, 0]] * (0.8 * unrest + 0.2))[:, None] * spread * noise
    made = np.repeat(made[None], len(windows), 0)
    return Residuals(made, came, windows.astype(np.int64), unrest)


@pytest.mark.parametrize("quantiles", [(), (0.05, 0.1, 0.5, 0.8, 0.9)])
def test_of_many_forecasts_every_step_and_end_holds_its_share(quantiles: tuple[float, ...]) -> None:
    draw = np.random.default_rng(1)
    sizes, H = draw.gamma(2, 3, 12), 4
    made = draw.normal(size=(H, max(1, len(quantiles))))
    made.sort(1)
    spread = np.arange(1, H + 1) / 2
    bands = Bands(len(sizes), H, 96, quantiles)
    which = np.arange(len(sizes))
    held, learnt = (_residuals(draw, sizes, n, made, spread) for n in (60, 40))
    bands.calibrate(held, learnt, which)
    other = _residuals(draw, sizes, 300, made, spread)
    none = np.zeros(len(other.windows), dtype=np.int64)
    found = bands.around(other.made, other.windows[:, 0], other.unrest, none)
    for low, high in bands.ends:
        for end, share in ((low, bands.told[low]), (high, bands.told[high])):
            below = (other.came <= found[:, :, end]).mean(0)
            # 720 values calibrate a step, and 3,600 count.
            assert below == pytest.approx(np.full(H, share), abs=0.05), (low, high)
            if not quantiles:  # so do those of quiet windows, and those of restless ones
                for unrest in (0.5, 1.5):
                    rows = other.unrest == unrest
                    below = (other.came[rows] <= found[rows][:, :, end]).mean()
                    assert below == pytest.approx(share, abs=0.05), unrest
    # As much of every series lies within, however far it is off.
    inside = ((found[:, :, 0] <= other.came) & (other.came <= found[:, :, -1])).mean(1)
    each = np.array([inside[other.windows[:, 0] == k].mean() for k in which])
    if not quantiles:
        assert each == pytest.approx(np.full(len(which), 0.8), abs=0.15)
    # A series that is new is thought of as the mean of the others.
    new = bands.around(other.made[:1], np.array([-1]), np.ones(1), none[:1])[0, :, -1]
    width = [
        bands.around(other.made[:1], which[k : k + 1], np.ones(1), none[:1])[0, :, -1] - new
        for k in which
    ]
    assert (np.min(width, 0) < 0).all() and (np.max(width, 0) > 0).all()


def test_of_few_forecasts_the_interval_holds_about_its_share() -> None:
    draw, held_in = np.random.default_rng(4), []
    for _ in range(60):
        y, H = np.cumsum(draw.normal(size=100)), 8
        origins = np.arange(20, 93)
        last = np.repeat(y[origins - 1][:, None], H, 1)
        every = Residuals(
            last[:, :, None], np.stack([y[o : o + H] for o in origins]),
            np.stack([0 * origins, origins], 1), np.ones(len(origins)),
        )  # fmt: skip
        bands = Bands(1, H, 96, ())
        # Learnt until 74, calibrated until 92, and then what is yet to come.
        bands.calibrate(every.of((origins >= 75) & (origins <= 84)), every.of(origins <= 67),
                        np.zeros(1, dtype=np.int64))  # fmt: skip
        none = np.zeros(1, dtype=np.int64)
        (found,) = bands.around(every.made[-1:], none, np.ones(1), none)
        held_in.append((found[:, 0] <= every.came[-1]) & (every.came[-1] <= found[:, 2]))
        assert (np.diff(found[:, 2] - found[:, 0]) >= -1e-6).all()  # never narrower further ahead
    assert 0.72 <= np.mean(held_in) <= 0.9


def test_no_lower_end_passes_zero_where_no_value_did() -> None:
    bands = Bands(1, 1, 96, ())
    made = np.array([[[-3.0, 1.0, 4.0]], [[-3.0, -2.0, 1.0]], [[0.5, 1.0, 2.0]]])
    assert np.array_equal(bands.not_below(made.copy()), made)
    bands.least.fill_(0.0)
    assert bands.not_below(made.copy())[:, 0, 0].tolist() == [0.0, -2.0, 0.5]


def test_bounds_are_order_statistics() -> None:
    draw = np.random.default_rng(5)
    below, above_ = draw.normal(size=(100, 3)), draw.normal(size=(100, 3))
    found = bounds(below, above_, 0.1, 0.8, apart=True)
    # Of 101 values the share asked for, the one yet to come among them.
    assert np.array_equal(found[:, 0], np.sort(below, 0)[90])
    assert np.array_equal(found[:, 1], np.sort(above_, 0)[80])
    both = bounds(below, above_, 0.1, 0.8, apart=False)
    outside = np.maximum(below, above_)
    assert len(np.unique(both)) == 1
    assert (outside <= both[0, 0]).mean() == pytest.approx(0.7, abs=2 / outside.size)


def test_rising_values_are_the_nearest_that_rise() -> None:
    isotonic = pytest.importorskip("sklearn.isotonic")
    draw = np.random.default_rng(6)
    for n in (1, 2, 5, 40):
        values = draw.normal(size=n) + 0.1 * np.arange(n)
        expected = isotonic.isotonic_regression(values)
        assert rising(values) == pytest.approx(expected)


def test_what_is_looked_at_is_spread_over_every_series() -> None:
    windows = np.array([[0, k] for k in range(30)] + [[1, 7]] + [[2, k] for k in range(100)])
    found = thinned(windows, 30)
    assert np.bincount(found[:, 0]).tolist() == [10, 1, 10]
    assert found[0].tolist() == [0, 0] and found[-1].tolist() == [2, 99]
    late = later(windows)
    assert late.sum() == 65 and not late[30] and late[29] and late[-1]
    assert np.bincount(recent(windows)[:, 0]).tolist() == [10, 1, 33]
    assert recent(windows)[9].tolist() == [0, 29]


# ---- In a run ------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two series of 80 values: a season of 3, and noise ten times as large in one as the other."""
    draw, path = np.random.default_rng(1), tmp_path / "two.csv"
    rows = [f"{50 + k % 3 + draw.normal():.4f},{9 * (k % 3) + 10 * draw.normal():.4f}"
            for k in range(80)]  # fmt: skip
    path.write_text("a,b\n" + "\n".join(rows) + "\n")
    return path


def _made(path: Path, **options: Any) -> tuple[Panel, Network]:
    own, _ = parse("forecast", SMALL | options)
    data = reading.read([str(path)], own, 0.3)
    torch.manual_seed(0)
    return data, make(own, data.settings, widths_of(data.fitted, 0)).eval()


def test_no_part_is_scored_by_bounds_that_saw_it(table: Path) -> None:
    data, network = _made(table)
    calibrate(network, data, ForecastOptions(), "cpu")
    late = later(data.check)
    before, _ = forecasts(network, data, data.check, "cpu")
    # Values that came in the late half move the bounds of the early one, and not their own.
    last = data.starts + data.lengths - 1
    data.z[last], data.raw[last] = data.z[last] + 500, data.raw[last] + 500
    calibrate(network, data, ForecastOptions(), "cpu")
    reads_it = np.isin(data.check[:, 1], data.lengths)  # none does
    after, _ = forecasts(network, data, data.check, "cpu")
    assert not reads_it.any()
    assert np.array_equal(before[late], after[late])
    assert not np.array_equal(before[~late], after[~late])


def test_a_run_keeps_its_intervals_and_tells_how_much_they_held(
    table: Path, tmp_path: Path
) -> None:
    options = {k: v for k, v in SMALL.items() if k not in ("dropout", "identity", "weight_drop")}
    run = elman.train(
        "forecast", table, run=tmp_path / "run", epochs=2, threads=1, test_from="71", **options
    )
    assert 0.4 < run.scores["coverage_80"] <= 1 and "coverage_80" not in run.baseline
    assert run.evaluate().scores == pytest.approx(run.scores)
    report = (run.path / "report.md").read_text()
    assert f"The 80 % interval held {run.scores['coverage_80']:.1%} of 48 values" in report
    ended = call("predict", run.path, table)
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert [*rows[0]][-3:] == ["forecast", "q0.1", "q0.9"] and len(rows) == 6
    width = [float(r["q0.9"]) - float(r["q0.1"]) for r in rows]
    assert all(float(r["q0.1"]) < float(r["forecast"]) < float(r["q0.9"]) for r in rows)
    assert min(width[3:]) > 3 * max(width[:3])  # as noise is


def test_a_model_trained_on_everything_takes_over_what_it_cannot_measure(
    table: Path, tmp_path: Path
) -> None:
    options = {k: v for k, v in SMALL.items() if k not in ("dropout", "identity", "weight_drop")}
    run = tmp_path / "run"
    elman.train("forecast", table, run=run, epochs=1, threads=1, refit=True, **options)
    old, _ = checkpoint.read(run / "model.safetensors")
    new, _ = checkpoint.read(refit.place(run) / "model.safetensors")
    names = [name for name in old if name.startswith("bands.")]
    assert len(names) == 5 and bool(new["bands.ready"].all())
    assert all(torch.equal(old[name], new[name]) for name in names)
    assert any(not torch.equal(old[name], new[name]) for name in old)
    # Of other series nothing is taken over, not even what would fit.
    weights = refit.place(run) / "model.safetensors"
    _, header = checkpoint.read(weights)
    other = new | {"bands.size": torch.ones(5), "bands.moved": torch.zeros_like(new["bands.moved"])}
    checkpoint.write(weights, other, header)
    refit.keep_calibration(RunFolder(run), RunFolder(refit.place(run)), TASK)
    kept, _ = checkpoint.read(weights)
    assert torch.equal(kept["bands.moved"], other["bands.moved"])


def test_coverage_counts_the_ends() -> None:
    class One:
        def values(self, windows: NDArray[np.int64]) -> Floats:
            return np.array([[1.0, 2.0, 3.0, 4.0, 5.0]])

    made = np.array([[[1.0, 1.5, 2.0], [0, 0, 1.9], [2, 3, 4], [4, 4, 4], [6, 7, 8]]])
    windows = np.array([[0, 9]])
    found: Any = One()
    assert coverage(found, windows, made, (0.25, 0.5, 0.75)) == {"coverage_50": 0.6}
    assert coverage(found, windows, made, ()) == {"coverage_80": 0.6}
    assert coverage(found, windows, made[:, :, :1], ()) == {}
    assert np.array_equal(point(made, ())[0], made[0, :, 1])


# ---- Distributions -------------------------------------------------------------------------


def _parameters(seed: int, rows: int = 40) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    return 2 * torch.randn(rows, 3).double(), torch.rand(rows).double() + 0.5


def test_likelihoods_are_those_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    made, spread = _parameters(1)
    soft = torch.nn.functional.softplus(made).numpy() + np.array([0, 1e-3, 3])
    m, s, n = made[:, 0].numpy(), soft[:, 1], soft[:, 2]
    y = torch.randn(40).double() * 3
    found = {name: kind.nats(made, y, spread).numpy() for name, kind in DISTRIBUTIONS.items()
             if not kind.counts}  # fmt: skip
    assert found["normal"] == pytest.approx(-stats.norm.logpdf(y, m, s))
    assert found["student"] == pytest.approx(-stats.t.logpdf(y, n, m, s))
    counts = torch.arange(40).double() % 13
    mean = above(made[:, 0], spread).numpy()
    nats = DISTRIBUTIONS["negative-binomial"].nats(made, counts, spread).numpy()
    assert nats == pytest.approx(-stats.nbinom.logpmf(counts, 1 / s, 1 / (1 + s * mean)))


def test_tweedie_is_a_density_with_a_mass_at_zero_and_the_mean_that_it_says() -> None:
    made, spread = _parameters(2, 5)
    tweedie = DISTRIBUTIONS["tweedie"]
    y = torch.linspace(0, 12, 100_001).double() ** 2  # close together near 0
    for row in range(5):
        own, scale = made[row].expand(len(y), 3), spread[row].expand(len(y))
        density = torch.exp(-tweedie.nats(own, y.clamp(min=1e-9), scale))
        zero = torch.exp(-tweedie.nats(own[:1], y[:1], scale[:1]))
        whole = float(torch.trapezoid(density, y) + zero)
        mean = float(torch.trapezoid(density * y, y))
        assert whole == pytest.approx(1, abs=1e-3)
        assert mean == pytest.approx(float(above(made[row, 0], spread[row])), rel=1e-3)


def test_student_s_quantiles_are_those_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    draw = np.random.default_rng(3)
    q, n = draw.random(500), 3 + draw.gamma(1, 12, 500)
    assert student_quantile(q, n) == pytest.approx(stats.t.ppf(q, n), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_quantiles_are_passed_as_often_as_they_say(name: str) -> None:
    """Of the likelihood itself so much lies below."""
    kind = DISTRIBUTIONS[name]
    made, spread = _parameters(4, 3)
    wanted = (0.2, 0.5, 0.9)
    found = kind.quantiles(made[:, None].numpy(), wanted, spread.numpy())[:, 0]
    for row in range(3):
        if name == "negative-binomial":
            y, width = torch.arange(3000).double(), torch.ones(3000).double()
        else:
            low = 0.0 if kind.counts else -400.0
            y = low + (torch.linspace(0, 20, 200_001).double() ** 2) * (1 if kind.counts else 2)
            width = torch.diff(y, append=y[-1:])
        own, scale = made[row].expand(len(y), 3), spread[row].expand(len(y))
        weight = torch.exp(-kind.nats(own, y, scale)) * width
        if name == "tweedie":
            weight[0] = torch.exp(-kind.nats(own[:1], torch.zeros(1).double(), scale[:1]))
        for q, value in zip(wanted, found[row], strict=True):
            until = float(weight[y <= value + 1e-9].sum())
            before = float(weight[y < value - 1e-9].sum())
            # 400 draws: four standard errors.
            assert before - 0.08 <= q <= until + 0.08, (row, q)


class _Last(nn.Module):
    """Layers that put out the value they read."""

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        return x[..., :1], [(torch.zeros(1, x.shape[1], 1),)]


def test_paths_of_a_walk_move_apart_as_the_root_of_the_steps(table: Path) -> None:
    how = {"steps_ahead": "recursive", "quantiles": "0.1,0.5,0.9", "distribution": "normal"}
    data, network = _made(table, horizon=9, calendar="none", **how)
    assert isinstance(network, Recursive) and isinstance(network.distribution, Normal)
    network.recurrent = _Last()  # type: ignore[assignment]
    network.output = nn.Linear(1, 2)
    with torch.no_grad():
        network.output.weight.copy_(torch.tensor([[1.0], [0.0]]))
        network.output.bias.zero_()
    with torch.no_grad():
        made = network(data.batch(data.check[:5]).inputs)
        alone = network(data.batch(data.check[2:3]).inputs)
    width = made[:, :, 2] - made[:, :, 0]
    root = np.sqrt(np.arange(1, 10)) * 2 * 1.2816 * (np.log(2) + 1e-3)
    assert width.numpy() == pytest.approx(np.repeat(root[None], 5, 0), rel=0.25)  # of 100 paths
    assert float(width[:, -1].mean() / width[:, 0].mean()) == pytest.approx(3, rel=0.2)
    assert torch.allclose(alone[0], made[2], atol=1e-6)


KINDS: tuple[dict[str, Any], ...] = (
    {"distribution": "normal"}, {"distribution": "student", "quantiles": "0.2,0.5,0.8"},
    {"distribution": "negative-binomial"}, {"distribution": "tweedie", "members": 2},
    {"steps_ahead": "recursive", "quantiles": "0.1,0.5,0.9"},
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_likelihood_is_learnt_and_answers_with_quantiles(
    tmp_path: Path, kind: dict[str, Any]
) -> None:
    draw, path, run = np.random.default_rng(7), tmp_path / "counts.csv", tmp_path / "run"
    path.write_text("y\n" + "".join(f"{draw.poisson(3 + 3 * (k % 3))}\n" for k in range(120)))
    options = {k: v for k, v in SMALL.items() if k not in ("dropout", "identity", "weight_drop")}
    made = elman.train(
        "forecast", path, run=run, epochs=6, threads=1, learning_rate=0.02, **options | kind
    )
    losses = [r["loss"] for r in made.folder.metrics() if r["split"] == "validation"]
    assert len(losses) == 6 and losses[-1] < losses[0]
    assert made.evaluate().scores == pytest.approx(made.scores)
    rows = list(csv.DictReader(io.StringIO(call("predict", run, path).out)))
    low, high = ("q0.2", "q0.8") if kind.get("quantiles") == "0.2,0.5,0.8" else ("q0.1", "q0.9")
    for row in rows:
        values = [float(row[name]) for name in (low, "forecast", high)]
        assert values == sorted(values) and values[0] < values[-1]


def test_values_that_no_distribution_of_counts_has_are_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "y.csv"
    for bad, name, what in (
        ("2.5", "negative-binomial", "whole numbers from 0 on"),
        ("-1", "tweedie", "values from 0 on"),
    ):
        path.write_text("y\n" + "".join(f"{k % 5}\n" for k in range(50)) + f"{bad}\n")
        ended = call("train", "forecast", path, "--distribution", name, "--run", tmp_path / "r")
        assert ended.code == 2 and f"{name} needs {what}; number 51" in ended.err
        assert len(ended.err.splitlines()) == 1
