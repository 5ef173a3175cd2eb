"""Exponential smoothing and a network as one: the recursion is its formula, nothing looks ahead."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from elman.run.options import parse
from elman.tasks.forecast import reading
from elman.tasks.forecast.data import Panel
from elman.tasks.forecast.mixing.mixture import forecasts
from elman.tasks.forecast.model import make_network, widths_of
from elman.tasks.forecast.networks import seasons
from elman.tasks.forecast.networks.esrnn import SmoothedNetwork, ahead, beginning, smoothed
from elman.tasks.forecast.training import drawn

SMALL: dict[str, Any] = {
    "hidden_size": 5, "look_back": 24, "horizon": 7, "season": 4, "smoothing": "4,6",
    "dropout": 0.0, "identity": 0, "weight_drop": 0.0, "seasonal": False, "scaling": "last",
}  # fmt: skip


def _by_hand(
    z: Tensor, alpha: Tensor, gammas: list[Tensor], level: Tensor, first: list[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """Step by step, as the formula has it."""
    levels, seasons = [], [list(s.unbind(1)) for s in first]
    for t, value in enumerate(z.unbind(1)):
        expected = sum((s[t] for s in seasons), torch.zeros_like(value))
        level = alpha * (value - expected) + (1 - alpha) * level
        levels.append(level)
        for s, gamma in zip(seasons, gammas, strict=True):
            s.append(s[t] + gamma * (value - level - expected))
    return torch.stack(levels, 1), [torch.stack(s, 1) for s in seasons]


@pytest.mark.parametrize("seed", range(6))
def test_blocks_of_a_season_are_steps_repeated(seed: int) -> None:
    draw = np.random.default_rng(seed)
    torch.manual_seed(seed)
    lengths = sorted(draw.choice(np.arange(2, 12), size=seed % 3, replace=False).tolist())
    B, T = int(draw.integers(1, 5)), int(draw.integers(1, 80))
    z, alpha, level = torch.randn(B, T).double(), torch.rand(B).double(), torch.randn(B).double()
    gammas = [torch.rand(B).double() for _ in lengths]
    first = [torch.randn(B, m).double() for m in lengths]
    found = smoothed(z, alpha, gammas, level, first)
    levels, seasons = _by_hand(z, alpha, gammas, level, first)
    assert torch.allclose(found.level, levels, atol=1e-12)
    assert len(found.seasons) == len(lengths)
    for own, other in zip(found.seasons, seasons, strict=True):
        assert torch.allclose(own, other, atol=1e-12)


def test_a_level_and_seasons_that_never_change_are_found_at_once() -> None:
    day, week = torch.randn(3).double(), torch.randn(6).double()
    day, week = day - day.mean(), week - week.view(2, 3).mean(0).repeat(2)
    z = (5 + day.repeat(8) + week.repeat(4))[None]
    level, (first, second) = beginning(z[:, :12], (3, 6))
    assert float(level) == pytest.approx(5) and torch.allclose(first[0], day)
    assert torch.allclose(second[0], week)
    found = smoothed(z, *(torch.tensor([0.3]).double(), [torch.tensor([0.2]).double()] * 2),
                     level, [first, second])  # fmt: skip
    assert torch.allclose(found.level, torch.full_like(z, 5.0))


def test_the_season_ahead_is_the_last_one_known_and_comes_again() -> None:
    season = torch.arange(20.0)[None]  # of 15 steps and a season of 5
    found = ahead(season, 13, 2, 12)
    assert found[0, 0].tolist() == [14, 15, 16, 17, 18] * 2 + [14, 15]
    assert found[0, 1].tolist() == [15, 16, 17, 18, 19] * 2 + [15, 16]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two series of 90 values, above 0, that repeat themselves after 4 values; one more column."""
    draw, path = np.random.default_rng(1), tmp_path / "two.csv"
    rows = ["a,b,wind,open"]
    for k in range(90):
        a, b = 20 + 5 * (k % 4) + draw.normal(), 300 + k + 90 * (k % 4 == 1) + 9 * draw.normal()
        rows.append(f"{a:.4f},{b:.4f},{draw.normal():.4f},{k % 2}")
    path.write_text("\n".join(rows) + "\n")
    return path


def _made(path: Path, **options: Any) -> tuple[Panel, SmoothedNetwork]:
    own, _ = parse("forecast", SMALL | {"target": "a,b"} | options)
    data = reading.read([str(path)], own, 0.2)
    torch.manual_seed(0)
    past = len(data.collection.options.past_columns)
    network = make_network(own, data.settings, widths_of(data.fitted, past)).eval()
    assert isinstance(network, SmoothedNetwork)
    with torch.no_grad():  # what begins at 0 would hide what it multiplies
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return data, network


KINDS: tuple[dict[str, Any], ...] = (
    {}, {"log": True, "quantiles": "0.1,0.5,0.9"}, {"smoothing": "1", "cell": "gru"},
    {"past_columns": "wind", "future_columns": "open", "identity": 2},
    {"distribution": "student"},
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_forecast_depends_on_its_window_alone_and_each_step_is_trained_as_it_forecasts(
    table: Path, kind: dict[str, Any]
) -> None:
    data, network = _made(table, **kind)
    batch = data.batch(data.check)
    made, came = network.answers(batch)
    steps = 24 - network.begin + 1
    H = network.horizon
    assert made.shape == (len(data.check), steps * H, network.outputs)
    # The last step's are the forecasts, and what it is held against is what came.
    assert torch.allclose(made[:, -H:], network(batch.inputs), atol=1e-6)
    assert torch.equal(came[:, -H:], batch.target)
    assert torch.allclose(came[:, :H], torch.cat(
        [batch.values[:, network.begin:, 0], batch.target], 1)[:, :H])  # fmt: skip
    # What comes after a step changes nothing that was forecast from it.
    later = batch.values.clone()
    later[:, -3:] += torch.randn(3, later.shape[2])
    other, _ = network.answers(batch._replace(values=later))
    kept = (steps - 3) * H
    assert torch.allclose(other[:, :kept], made[:, :kept], atol=1e-6)
    assert not torch.allclose(other[:, kept:], made[:, kept:], atol=1e-4)


def test_a_step_reads_what_is_known_of_the_next_one_and_of_those_ahead(table: Path) -> None:
    data, network = _made(table, future_columns="open")
    batch, H = data.batch(data.check), network.horizon
    assert network.effect is not None
    for effect in (True, False):
        if not effect:
            with torch.no_grad():
                network.effect.weight.zero_()
                network.effect.bias.zero_()
        for place in range(batch.known.shape[1]):
            known = batch.known.clone()
            known[:, place] += 1
            moved = network.answers(batch._replace(known=known))[0] - network.answers(batch)[0]
            first = int(moved.abs().amax((0, 2)).gt(1e-6).to(torch.uint8).argmax())
            if place < network.begin:
                assert not moved.any()
            elif effect:  # the first forecast that reaches the place
                assert first == max(0, place - network.begin - H + 1) * H + min(
                    place - network.begin, H - 1
                )
            else:
                step = place - network.begin
                assert first == step * H if step * H < moved.shape[1] else not moved.any()


def test_smoothed_logarithms_move_with_the_unit_of_the_data(table: Path, tmp_path: Path) -> None:
    data, network = _made(table, log=True)
    cells = [line.split(",") for line in table.read_text().splitlines()]
    more = tmp_path / "more.csv"
    rows = [cells[0], *([str(1000 * float(c)) for c in row] for row in cells[1:])]
    more.write_text("\n".join(map(",".join, rows)) + "\n")
    other, _ = _made(more, log=True)
    first, _ = forecasts(network, data, data.check, "cpu")
    second, _ = forecasts(network, other, other.check, "cpu")
    assert second == pytest.approx(1000 * first, rel=1e-4)  # float32


def test_a_new_series_is_smoothed_by_the_mean_shares(table: Path) -> None:
    _, network = _made(table)
    with torch.no_grad():
        network.level.copy_(torch.tensor([0.02, 0.04]))
    with torch.no_grad():
        alpha, gammas = network.shares(torch.tensor([0, 1, -1]))
    logits = torch.logit(alpha)
    assert float(logits[2]) == pytest.approx(float(logits[:2].mean()), abs=1e-4)
    assert len(gammas) == 2 and alpha.shape == (3,)


def test_values_at_and_below_zero_are_smoothed_without_logarithms(tmp_path: Path) -> None:
    path = tmp_path / "y.csv"
    path.write_text("a,b\n" + "".join(f"{k % 4 - 2},{-3 - k % 4}\n" for k in range(80)))
    data, _ = _made(path)
    network = make_network(
        replace(parse("forecast", SMALL | {"target": "a,b"})[0], smoothing=(4,)), data.settings,
        widths_of(data.fitted, 0),
    ).eval()  # fmt: skip
    made, _ = forecasts(network, data, data.check, "cpu")
    assert made[:, :, 0] == pytest.approx(data.values(data.check), abs=1e-4)


def test_seasons_that_do_not_fit_are_left_out() -> None:
    assert seasons.usual(24, 600) == (24, 168) and seasons.usual(24, 500) == (24,)
    assert seasons.usual(12, 90) == (12,) and seasons.usual(12, 40) == seasons.usual(1, 90) == (1,)
    assert seasons.fitting((24, 168), 200) == (24,) and seasons.fitting((1,), 200) == ()


def test_an_epoch_draws_windows_of_every_series() -> None:
    counts = [1, 15, 100]
    parts = [np.stack([np.full(n, k), np.arange(n)], 1) for k, n in enumerate(counts)]
    windows: NDArray[np.int64] = np.concatenate(parts).astype(np.int64)
    chosen = drawn(windows, 40, np.random.default_rng(1))
    assert np.bincount(windows[chosen, 0]).tolist() == [1, 1, 5]
    assert len(set(chosen.tolist())) == 7
    again = drawn(windows, 40, np.random.default_rng(2))
    assert chosen.tolist() != again.tolist()
