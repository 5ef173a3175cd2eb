"""What networks that forecast are trained on and read: losses, scales, static columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from elman.data.tables.content import BadRows
from elman.run.options import parse
from elman.tasks.forecast import reading
from elman.tasks.forecast.data import Panel
from elman.tasks.forecast.errors import spreads
from elman.tasks.forecast.mixing.mixture import forecasts
from elman.tasks.forecast.model import make_network, widths_of
from elman.tasks.forecast.networks.direct import Direct
from elman.tasks.forecast.networks.network import Network
from elman.tasks.forecast.networks.output import loss

SMALL: dict[str, Any] = {
    "hidden_size": 5, "look_back": 6, "horizon": 4, "season": 3, "dropout": 0.0, "identity": 0,
    "weight_drop": 0.0,
}  # fmt: skip


def _made(path: Path, **options: Any) -> tuple[Panel, Network]:
    own, _ = parse("forecast", SMALL | options)
    data = reading.read([str(path)], own, 0.2)
    torch.manual_seed(0)
    return data, make_network(own, data.settings, widths_of(data.fitted, 0)).eval()


@pytest.fixture
def shops(tmp_path: Path) -> Path:
    """Three series above 0, each with a word and a number that are said of the whole of it."""
    draw, path = np.random.default_rng(1), tmp_path / "shops.csv"
    rows = ["unique_id,ds,y,kind,size"]
    for name, kind, size in (("a", "small", 1), ("b", "large", 9), ("c", "small", 5)):
        rows += [f"{name},{k},{20 + k % 3 + draw.random():.4f},{kind},{size}" for k in range(50)]
    path.write_text("\n".join(rows) + "\n")
    return path


def _by_hand(kind: str, y: NDArray[Any], f: NDArray[Any], q: NDArray[Any]) -> float:
    gap = y[..., None] - f
    match kind:
        case "mae":
            return float(np.abs(gap).sum())
        case "mse":
            return float((gap**2).sum())
        case "huber":
            size = np.abs(gap)
            return float(np.where(size < 1, 0.5 * gap**2, size - 0.5).sum())
        case "smape":
            return float((2 * np.abs(gap) / (np.abs(y[..., None]) + np.abs(f))).sum())
    # A forecast too low costs q, one too high 1 - q.
    return float(np.where(gap > 0, q * gap, (q - 1) * gap).mean(-1).sum())


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("kind", ["mae", "mse", "huber", "smape", "quantiles"])
def test_the_loss_is_its_formula(shops: Path, kind: str, log: bool) -> None:
    q = (0.1, 0.5, 0.8)
    how = {"quantiles": q} if kind == "quantiles" else {"loss": kind}
    data, network = _made(shops, log=log, seasonal=True, **how)
    batch = data.batch(data.train)
    made = network(batch.inputs).detach()
    total, count = loss(network, batch, made, batch.target)
    y, f = batch.target.double().numpy(), made.double().numpy()
    if kind == "smape":  # that of values in their units
        y, f = data.values(data.train), data.unscaled(f, batch)
    assert count == y.size == len(data.train) * 4
    assert float(total) == pytest.approx(_by_hand(kind, y, f, np.array(q)), rel=1e-5)  # float32


def test_quantiles_never_cross(shops: Path) -> None:
    data, network = _made(shops, quantiles=(0.1, 0.5, 0.8))
    batch = data.batch(data.check)
    assert (np.diff(network(batch.inputs).detach().numpy()) < 0).any()  # untrained, they do
    assert (np.diff(forecasts(network, data, data.check, "cpu")[0]) >= 0).all()


@pytest.mark.parametrize(
    "kind", [{}, {"steps_ahead": "recursive"}, {"segment": 3}, {"segment": 3, "cell": "gru"}]
)
def test_words_and_numbers_of_a_series_reach_its_forecasts(
    shops: Path, kind: dict[str, Any]
) -> None:
    data, network = _made(shops, static_columns="kind,size", **kind)
    # A number by mean and deviation of the series; words, in order of the alphabet, one-hot.
    sizes = (np.array([1, 9, 5]) - 5) / np.std([1, 9, 5])
    assert data.static == pytest.approx(np.column_stack([sizes, [0, 1, 0], [1, 0, 1]]))
    inputs = data.batch(data.check[:2]).inputs
    made = network(inputs)
    for column in range(3):
        static = inputs.static.clone()
        static[:, column] += 1
        changed = (network(inputs._replace(static=static)) - made).abs().flatten(1).amax(1)
        assert bool((changed > 1e-6).all())


def test_a_word_that_was_never_seen_is_none_of_them(shops: Path) -> None:
    data, _ = _made(shops, static_columns="kind,size")
    text = shops.read_text().replace("large", "medium")
    shops.write_text(text)
    other = reading.unseen(
        [str(shops)], data.preprocessing(), BadRows(False), ahead=True
    )  # fmt: skip
    assert other.static[:, 1:].tolist() == [[0, 1], [0, 0], [0, 1]]


def test_a_layer_that_reads_both_ways_has_read_all_of_the_window_both_ways(shops: Path) -> None:
    data, network = _made(shops, bidirectional=True)
    assert isinstance(network, Direct)
    inputs = data.batch(data.check[:1]).inputs
    for half in (slice(0, 5), slice(5, 10)):  # forward, backward
        weight = network.context.weight.detach().clone()
        with torch.no_grad():
            network.context.weight[:, half] = 0
        made = network(inputs)
        for step in range(6):
            values = inputs.values.clone()
            values[:, step] += 1
            assert not torch.equal(network(inputs._replace(values=values)), made)
        with torch.no_grad():
            network.context.weight.copy_(weight)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("seasonal", [False, True])
def test_scaled_errors_are_by_the_deviation_of_the_training_part(
    shops: Path, log: bool, seasonal: bool
) -> None:
    data, _ = _made(shops, log=log, seasonal=seasonal)
    told = [data.raw[start : start + 40].std() for start in data.starts]  # 10 of 50 are held back
    assert spreads(data) == pytest.approx(told)


def test_a_window_that_hardly_moves_is_not_blown_up(tmp_path: Path) -> None:
    path = tmp_path / "flat.csv"
    path.write_text("y\n" + "".join(f"{7 if k < 30 else k}\n" for k in range(60)))
    data, _ = _made(path, scaling="window")
    batch = data.batch(data.train)
    least = 0.01 * data.scales.spread[0]
    assert float(batch.spread.min()) == pytest.approx(least)
    assert bool(torch.isfinite(batch.values).all()) and float(batch.spread.max()) > 2 * least


def test_the_last_season_known_is_repeated_ahead_of_the_present(tmp_path: Path) -> None:
    path = tmp_path / "y.csv"
    path.write_text("y\n" + "".join(f"{k * k}\n" for k in range(60)))
    data, _ = _made(path, seasonal=True)
    batch = data.batch(data.check)
    for base, (_, origin) in zip(batch.base.numpy(), data.check, strict=True):
        before = [k - 3 for k in range(origin - 6, origin)]
        ahead = [origin - 3, origin - 2, origin - 1, origin - 3]
        assert base.tolist() == [float(k * k) for k in (*before, *ahead)]
