"""Fixed points that are known by a formula, by bisection, or because the network was made so."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from handmade import OTHER, counter, flip_flop
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from elman import cells
from elman.errors import UserError
from elman.layers.recurrent import Recurrent
from elman.probe import fixed_points
from elman.probe.opened import opened

seeds = st.integers(0, 2**32 - 1)


def found(
    layer: nn.Module, x: Tensor, constant: Tensor, starts: int = 32
) -> fixed_points.FixedPoints:
    with opened(layer) as layers:
        layer(x)
    return fixed_points.of_layer(layers.passes[0], constant, starts=starts)


@settings(max_examples=5)
@given(seeds)
def test_a_contracting_relu_network_rests_where_the_linear_equation_says(seed: int) -> None:
    torch.manual_seed(seed)
    H, I = 5, 3  # noqa: E741
    layer = Recurrent(I, H, cell="rnn-relu", dtype=torch.float64)
    with torch.no_grad():
        R = torch.rand(H, H, dtype=torch.float64) / H / 1.5
        W, bias = torch.rand(H, I, dtype=torch.float64), torch.rand(H, dtype=torch.float64)
        values = {"weight_ih_l0": W, "weight_hh_l0": R, "bias_ih_l0": bias, "bias_hh_l0": 0 * bias}
        layer.load_state_dict(values)
    x = torch.rand(I, dtype=torch.float64)
    b = W @ x + bias
    (point,) = found(layer, torch.randn(6, 4, I, dtype=torch.float64), x).points
    expected = torch.linalg.solve(torch.eye(H, dtype=torch.float64) - R, b)
    np.testing.assert_allclose(point.state["h"], expected, rtol=0, atol=1e-9)
    assert point.fixed
    assert point.kind == "stable"
    np.testing.assert_allclose(
        sorted(abs(point.eigenvalues)), sorted(abs(np.linalg.eigvals(R.numpy()))), atol=1e-9
    )


def bisected(w: float) -> float:
    """The positive h with h = tanh(w h), w > 1."""
    low, high = 1e-6, 1.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if math.tanh(w * middle) > middle else (low, middle)
    return low


@settings(max_examples=5)
@given(st.floats(1.5, 4.0))
def test_one_tanh_unit_with_a_strong_loop_has_three(w: float) -> None:
    points = fixed_points.search(
        lambda s: torch.tanh(w * s), torch.linspace(-1, 1, 21, dtype=torch.float64)[:, None]
    ).points
    h = bisected(w)
    assert [p.fixed for p in points] == [True] * 3
    by_place = sorted(points, key=lambda p: float(p.state["s"][0]))
    np.testing.assert_allclose([p.state["s"][0] for p in by_place], [-h, 0, h], atol=1e-9)
    slopes = [w * (1 - h * h), w, w * (1 - h * h)]
    np.testing.assert_allclose([p.eigenvalues[0].real for p in by_place], slopes, atol=1e-8)
    assert [p.kind for p in by_place] == ["stable", "unstable", "stable"]
    assert sum(p.starts for p in points) == 21
    np.testing.assert_allclose(by_place[0].steps_back, -1 / math.log(slopes[0]))


def test_a_narrow_passage_is_a_slow_point() -> None:
    def step(s: Tensor) -> Tensor:
        return s + 0.02 * (s * s + 0.5)  # never at rest; slowest at 0, by 0.01

    found = fixed_points.search(step, torch.linspace(-0.5, 0.5, 5, dtype=torch.float64)[:, None])
    (point,) = found.points
    assert not point.fixed
    np.testing.assert_allclose(point.state["s"], 0, atol=1e-6)
    np.testing.assert_allclose(point.speed, 0.01, atol=1e-9)


def test_a_turning_network_says_how_fast_it_turns() -> None:
    angle, size = 2 * math.pi / 7, 0.9
    R = size * torch.tensor(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]],
        dtype=torch.float64,
    )
    draw = torch.Generator().manual_seed(0)
    starts = torch.randn(9, 2, dtype=torch.float64, generator=draw)
    (point,) = fixed_points.search(lambda s: torch.tanh(s @ R.T), starts).points
    np.testing.assert_allclose(point.turn, 7)
    np.testing.assert_allclose(point.radius, size)
    saddle = torch.diag(torch.tensor([1.5, 0.5], dtype=torch.float64))
    assert fixed_points.search(lambda s: s @ saddle, starts).points[0].kind == "saddle"


@pytest.mark.parametrize("cell", cells.names())
def test_a_flip_flop_rests_where_it_was_set(cell: str) -> None:
    """Held gates make lines of fixed points; the simple networks have two places to rest."""
    tokens = torch.randint(2, (12, 8), generator=torch.Generator().manual_seed(0))
    other = torch.zeros(3, dtype=torch.float64)
    other[OTHER] = 1
    layer = flip_flop(cell)
    result = found(layer, tokens, other)
    assert result.lost == 0
    units = [p.state["h"][0] - (p.state["h"][1] if cell == "rnn-relu" else 0) for p in result.fixed]
    with torch.no_grad():
        _, state = layer(torch.tensor([[0, 1], [2, 2], [2, 2]]))
    h = state[0][0][0]
    set_, reset = (h[:, 0] - (h[:, 1] if cell == "rnn-relu" else 0)).tolist()
    assert min(abs(u - set_) for u in units) < 5e-3
    assert min(abs(u - reset) for u in units) < 5e-3
    kinds = {p.kind for p in result.fixed}
    if cell == "rnn":
        assert "stable" in kinds
        assert "rest in 2 places" in result.told()
    elif cell != "rnn-relu":
        assert kinds == {"marginal"}


@pytest.mark.parametrize("cell", cells.names())
@pytest.mark.parametrize("normed", [False, True])
def test_eigenvalues_are_those_of_a_jacobian_by_differences(cell: str, normed: bool) -> None:
    torch.manual_seed(3)
    H, e = 3, 1e-6
    layer = Recurrent(2, H, cell=cell, layer_norm=normed, dtype=torch.float64)
    x = torch.randn(2, dtype=torch.float64)
    S = len(layer.cell[0].states)
    result = found(layer, torch.randn(5, 6, 2, dtype=torch.float64), x, starts=8)
    assert result.points
    for point in result.points[:2]:
        s = np.concatenate([point.state[name] for name in layer.cell[0].states])

        def after(s: np.ndarray) -> np.ndarray:
            first = tuple(torch.from_numpy(p).view(1, 1, H) for p in np.split(s, S))
            with torch.no_grad():
                _, state = layer(x.view(1, 1, 2), [first])
            return np.concatenate([part.flatten().numpy() for part in state[0]])

        np.testing.assert_allclose(np.linalg.norm(after(s) - s), point.speed, atol=1e-9)
        assert point.fixed == (abs(after(s) - s).max() < 1e-6)
        J = np.stack([(after(s + d) - after(s - d)) / (2 * e) for d in e * np.eye(S * H)], 1)
        # The sums of the first and second powers are smooth in J, the eigenvalues are not.
        for power in (1, 2):
            np.testing.assert_allclose(
                (point.eigenvalues**power).sum(),
                np.trace(np.linalg.matrix_power(J, power)),
                atol=1e-6,
            )


def test_a_counter_rests_anywhere() -> None:
    tokens = torch.randint(3, (20, 4), generator=torch.Generator().manual_seed(1))
    other = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    result = found(counter("lstm"), tokens, other)
    assert {p.kind for p in result.points} == {"marginal"}
    assert "keeps a quantity" in result.told()
    # With one A after the other it never rests.
    assert not found(counter("rnn-relu"), tokens, torch.tensor([1.0, 0, 0]).double()).points


def test_layers_of_other_packages_and_what_does_not_fit() -> None:
    torch.manual_seed(0)
    theirs = nn.GRU(3, 4, bidirectional=True)
    ours = Recurrent(3, 4, cell="gru", bidirectional=True)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(7, 5, 3)
    both = []
    for layer in (theirs, ours):
        with opened(layer) as layers:
            layer(x)
        both.append(fixed_points.of_layer(layers.passes[1]))
    assert both[0].points
    for a, b in zip(both[0].points, both[1].points, strict=True):
        np.testing.assert_allclose(a.state["h"], b.state["h"], atol=1e-6)
    assert "backward" in both[0].name
    assert [m.values.shape for m in both[0].measured()] == [(len(both[0].points),)] * 3
    with pytest.raises(UserError, match="vectors of 3"):
        fixed_points.of_layer(layers.passes[0], torch.zeros(2))
    big = nn.RNN(1, 257)
    with opened(big) as layers:
        big(torch.zeros(1, 1, 1))
    with pytest.raises(UserError, match="at most 256 units"):
        fixed_points.of_layer(layers.passes[0])
