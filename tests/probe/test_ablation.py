"""Held units against loops in plain Python, and a network of which one unit alone matters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from handmade import OPEN, SHUT, Gate, inside, network
from torch import Tensor, nn

from elman import cells
from elman.errors import UserError
from elman.layers.recurrent import Recurrent
from elman.layers.scan import Direction, RecurrentProduct, input_product, no_recurrence
from elman.probe.ablation import ablate, likeliest
from elman.probe.opened import opened

T, B, I, H = 7, 3, 2, 4  # noqa: E741


@pytest.mark.parametrize("cell", cells.names())
@pytest.mark.parametrize("zoneout", [0.0, 0.3])
def test_a_held_unit_is_one_that_a_loop_sets_back(cell: str, zoneout: float) -> None:
    torch.manual_seed(1)
    layer = Recurrent(I, H, cell=cell, zoneout=zoneout, dtype=torch.float64).train()
    x, weights = torch.randn(T, B, I).double(), torch.randn(H).double()
    first = tuple(torch.randn(1, B, H).double() for _ in layer.cell[0].states)

    def losses(model: nn.Module) -> Tensor:
        y, _ = model(x, [first])
        each: Tensor = (y * weights).sum(-1).square().mean(0)
        return each

    with opened(layer) as layers:
        whole = losses(layer)
    seen = layers.passes[0]
    found = ablate(layer, losses, seen)
    assert layer.training
    means = seen.values("h").mean((0, 1))
    kind, names = layer.cell[0], ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    parts = {n: getattr(layer, f"{n}_l0").detach() for n in names if hasattr(layer, f"{n}_l0")}
    direction = Direction(**parts)
    R = RecurrentProduct(kind, direction) if kind.recurrent else no_recurrence
    for u in range(H):
        state = tuple(part[0].clone() for part in first)
        state[0][:, u] = means[u]
        ys = []
        for now in x:
            after = kind.step(input_product(kind, direction, now), state, R)
            state = tuple(
                (1 - zoneout) * a + zoneout * s for a, s in zip(after, state, strict=True)
            )
            state[0][:, u] = means[u]
            ys.append(state[0])
        cost = (torch.stack(ys) * weights).sum(-1).square().mean(0) - whole
        np.testing.assert_allclose(found.costs[u], cost, atol=1e-12)
    np.testing.assert_allclose(found.loss, float(whole.mean()))
    assert found.mean[found.order[0]] == found.mean.max()


@pytest.mark.parametrize("cell", cells.names())
def test_where_the_loss_is_straight_the_likeliest_are_those_that_cost_most(cell: str) -> None:
    """Of a layer without a recurrence within, and a loss that is a sum."""
    torch.manual_seed(2)
    layer = Recurrent(I, H, cell=cell, dtype=torch.float64)
    if layer.cell[0].recurrent:
        with torch.no_grad():
            dict(layer.named_parameters())["weight_hh_l0"].zero_()
    x, weights = torch.randn(1, B, I).double(), torch.randn(H).double()

    def losses(model: nn.Module) -> Tensor:
        y, _ = model(x)
        each: Tensor = (y * weights).sum(-1).sum(0)
        return each

    with opened(layer) as layers:
        losses(layer)
    (seen,) = layers.passes
    # The means are those of the batch itself, so that parts, not the whole, differ.
    first = ablate(layer, lambda m: losses(m)[:1], seen)
    order = likeliest(layer, lambda m: losses(m)[:1], seen)
    assert order == sorted(range(H), key=lambda u: -abs(first.mean[u]))


def test_of_layers_of_torch_in_both_directions_one_unit_is_held() -> None:
    torch.manual_seed(0)
    model = nn.LSTM(I, H, 2, bidirectional=True)
    x = torch.randn(T, B, I)
    with opened(model) as layers:
        model(x)
    seen = layers.passes[3]  # the second layer, backward
    asked = []

    def losses(model: nn.Module) -> Tensor:
        y, _ = model(x)
        asked.append(y)
        each: Tensor = y.square().mean((0, 2))
        return each

    found = ablate(model, losses, seen, units=[2])
    whole, one = asked
    same = [u for u in range(2 * H) if torch.equal(whole[..., u], one[..., u])]
    assert same == list(range(H))  # the other direction sees nothing of it
    assert (one[..., H + 2] - seen.values("h")[..., 2].mean()).abs().max() < 1e-6
    assert np.isnan(found.mean[[0, 1, 3]]).all()
    assert found.order == [2]


def test_the_unit_that_carries_all_is_told() -> None:
    tokens = torch.randint(2, (30, 8), generator=torch.Generator().manual_seed(0))
    none, alone = [[0.0, 0.0]] * 3, [[0.0] * 3, [0.0, -40.0, 0.0], [0.0] * 3]
    wide = network(
        "gru",
        {
            "r": Gate(none, [OPEN] * 3),
            "z": Gate([[0.0, 0.0], [SHUT, OPEN], [0.0, 0.0]], [0.0] * 3),
            "n": Gate(none, [0.0, 14.0, 0.0], alone),
        },
    )  # the second unit is that of `in_quotes`
    wanted = inside(tokens).double() * 2 - 1

    def losses(model: nn.Module) -> Tensor:
        y, _ = model(tokens)
        each: Tensor = (y[..., 1] - wanted).square().mean(0)
        return each

    with opened(wide) as layers:
        before = losses(wide)
    assert before.mean() < 1.1  # outside it is 0 or -1
    found = ablate(wide, losses, layers.passes[0])
    assert found.order[0] == 1
    np.testing.assert_allclose(found.mean[[0, 2]], 0, atol=1e-12)
    assert found.half == 1
    assert found.told().startswith("Held at its mean, unit 1 (+")
    assert "on 1 unit of 3" in found.told()
    assert found.measured().spread is not None


def test_time_is_bounded_and_what_does_not_fit_is_told() -> None:
    layer = nn.RNN(1, 5)
    x = torch.randn(3, 2, 1)
    with opened(layer) as layers:
        layer(x)
    seen = layers.passes[0]
    assert ablate(layer, lambda m: m(x)[0].mean((0, 2)), seen, seconds=0).order == [0]
    with pytest.raises(UserError, match="has 5"):
        ablate(layer, lambda m: m(x)[0].mean((0, 2)), seen, units=[5])
