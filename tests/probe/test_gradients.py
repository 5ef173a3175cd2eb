"""Gradients by lag and Jacobians against finite differences, brute force and known answers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from elman import cells
from elman.errors import UserError
from elman.layers.recurrent import Recurrent
from elman.probe.gradients import gradients
from elman.probe.jacobian import (
    estimated_radius,
    jacobian,
    places,
    singular_values,
    spectral_radius,
)
from elman.probe.opened import opened

EPSILON = 1e-6
# Central differences err by EPSILON² times a third derivative, large where layer norm meets
# units that are nearly equal, and by rounding, 1e-16 / EPSILON.
CLOSE = 1e-6

every_cell = pytest.mark.parametrize("cell", cells.names())
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=3)


class Stack(nn.Module):
    """Two layers, one module each, and scores of the next token at every step."""

    def __init__(self, cell: str, whole: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [Recurrent(3, 4, 2 if whole else 1, cell=cell, layer_norm=True, dtype=torch.float64)]
            + ([] if whole else [Recurrent(4, 4, cell=cell, layer_norm=True, dtype=torch.float64)])
        )
        self.output = nn.Linear(4, 5, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x, _ = layer(x)
        scores: Tensor = self.output(x)
        return scores


def parted(stack: Stack) -> Stack:
    """The same weights with a module for each layer, so that a state can be moved between."""
    one = Stack(stack.layers[0].cell[0].name, whole=False)  # type: ignore[union-attr, index]
    theirs = dict(stack.layers[0].named_parameters())
    with torch.no_grad():
        for k, layer in enumerate(one.layers):
            for name, parameter in layer.named_parameters():
                parameter.copy_(theirs[name.replace("_l0", f"_l{k}")])
    one.output = stack.output
    return one


def moved_loss(
    one: Stack, x: Tensor, y: Tensor, at: int, place: tuple[int, int, str, int], by: float
) -> Tensor:
    """The loss [B] of step `at`, where a state of one layer is moved after one step."""
    layer_at, step_at, state_at, unit = place
    states: list[list[tuple[Tensor, ...]] | None] = [None, None]
    for t in range(at + 1):
        now = x[t : t + 1]
        for k, layer in enumerate(one.layers):
            out, state = layer(now, states[k])
            if (k, t) == (layer_at, step_at):
                names = layer.cell[0].states  # type: ignore[union-attr, index]
                parts = [part.clone() for part in state[0]]
                before = parts[-1].clone()
                parts[names.index(state_at)][..., unit] += by
                if state_at == "c":  # h of the same step, o tanh(c), moves with it
                    parts[0] *= parts[-1].tanh() / before.tanh()
                state = [tuple(parts)]
                out = parts[0]  # the first state is what the layer puts out
            states[k], now = state, out
    return F.cross_entropy(one.output(now[0]), y[at], reduction="none")


@every_cell
@few
@given(seeds)
def test_gradients_by_lag_are_finite_differences(cell: str, seed: int) -> None:
    torch.manual_seed(seed)
    T, B = 5, 2
    model = Stack(cell, whole=True)
    one = parted(model)
    x = torch.randn(T, B, 3, dtype=torch.float64)
    y = torch.randint(5, (T, B))

    def loss(model: nn.Module) -> Tensor:
        return F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum")

    flows = gradients(model, loss, places=B)  # from the last step of both sequences
    assert [flow.seen.layer for flow in flows] == [0, 1]
    with torch.no_grad():
        for layer, flow in enumerate(flows):
            for state, norms in flow.norms.items():
                assert norms.shape == (B, T)
                for lag in range(T):
                    slopes = [
                        (
                            moved_loss(one, x, y, T - 1, (layer, T - 1 - lag, state, u), EPSILON)
                            - moved_loss(one, x, y, T - 1, (layer, T - 1 - lag, state, u), -EPSILON)
                        )
                        / (2 * EPSILON)
                        for u in range(4)
                    ]
                    expected = torch.stack(slopes).norm(dim=0).numpy()
                    assert np.abs(norms[:, lag] - expected).max() < CLOSE * max(1, expected.max())


@every_cell
@few
@given(seeds)
def test_a_loss_of_last_states_alone_comes_back_from_the_ends(cell: str, seed: int) -> None:
    """Of packed sequences read both ways, each direction from its own end; by brute force."""
    torch.manual_seed(seed)
    layer = Recurrent(3, 4, cell=cell, bidirectional=True, dtype=torch.float64)
    x, lengths = torch.randn(6, 3, 3, dtype=torch.float64), torch.tensor([2, 6, 4])
    v = torch.randn(2, 3, 4, dtype=torch.float64)
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)

    def loss(model: nn.Module) -> Tensor:
        _, state = model(packed)
        total: Tensor = (state[0][0] * v).sum()
        return total

    flows = gradients(layer, loss)
    assert [flow.seen.reverse for flow in flows] == [False, True]
    for direction, flow in enumerate(flows):
        by_length = {int(np.isfinite(row).sum()): row for row in flow.norms["h"]}
        assert sorted(by_length) == [2, 4, 6]
        for b, length in enumerate(lengths.tolist()):
            # Alone, step by step from where it begins, each state a leaf of its own.
            part = Recurrent(3, 4, cell=cell, dtype=torch.float64)
            ending = "_reverse" if direction else ""
            theirs = dict(layer.named_parameters())
            with torch.no_grad():
                for name, parameter in part.named_parameters():
                    parameter.copy_(theirs[name + ending])
            steps = x[:length, b : b + 1]
            state, seen = None, []
            for now in steps.flip(0) if direction else steps:
                _, state = part(now[None], state)
                seen.append(state[0][0])
            assert state is not None
            total = (state[0][0][0, 0] * v[direction, b]).sum()
            slopes = torch.autograd.grad(total, seen)
            expected = [float(s.norm()) for s in reversed(slopes)]
            found = by_length[length]
            assert np.abs(found[:length] - expected).max() < 1e-12


def linear_network(factor: float) -> nn.Module:
    """h_t = factor h_{t-1} + x_t of one unit: relu of what is positive."""
    layer = Recurrent(1, 1, cell="rnn-relu", bias=False, dtype=torch.float64)
    with torch.no_grad():
        for name, value in (("weight_ih_l0", 1.0), ("weight_hh_l0", factor)):
            getattr(layer, name).fill_(value)
    return layer


def last_of(x: Tensor) -> Callable[[nn.Module], Tensor]:
    def loss(model: nn.Module) -> Tensor:
        total: Tensor = model(x)[0][-1].sum()
        return total

    return loss


@settings(max_examples=10)
@given(st.floats(0.3, 1.3), seeds)
def test_a_linear_network_vanishes_or_explodes_by_its_factor(factor: float, seed: int) -> None:
    torch.manual_seed(seed)
    T = 20
    (flow,) = gradients(linear_network(factor), last_of(torch.rand(T, 3, 1).double() + 0.1))
    expected = factor ** np.arange(T)
    assert np.abs(flow.by_lag("h").values / expected - 1).max() < 1e-12
    assert np.abs(flow.share_by_lag().values / expected - 1).max() < 1e-12
    assert flow.growth().number == pytest.approx(factor, rel=1e-9)
    reach, never = flow.reach()
    steps = math.floor(math.log(0.01) / math.log(factor)) + 1 if factor < 1 else T
    if steps < T:
        assert reach.number == steps and never.number == 0 and reach.sample == 3
        assert reach.spread == 0
    else:
        assert math.isnan(reach.number) and never.number == 1 and reach.sample == 0
    cut = 7
    total = expected.sum()
    lost = np.mean([expected[p + 1 :].sum() / total for p in range(cut)])
    assert flow.beyond(cut).number == pytest.approx(lost, rel=1e-9)
    assert math.isnan(flow.beyond(T).number)


def test_places_lie_where_the_output_counts() -> None:
    """In the second half where later steps count at all; at the one step that does elsewhere."""
    x = torch.randn(12, 2, 3, dtype=torch.float64)
    layer = Recurrent(3, 4, cell="gru", dtype=torch.float64)
    (flow,) = gradients(layer, lambda model: model(x)[0].pow(2).sum(), places=6)
    goes_back = np.isfinite(flow.norms["h"]).sum(1)
    assert sorted(goes_back) == [7, 7, 9, 9, 12, 12]
    (flow,) = gradients(layer, lambda model: model(x)[0][3].sum(), places=6)
    assert np.isfinite(flow.norms["h"]).sum(1).tolist() == [4, 4]
    (flow,) = gradients(layer, lambda model: model(x)[0][3].sum(), longest=2)
    assert flow.norms["h"].shape == (2, 3)


def test_a_loss_that_cannot_be_followed_is_a_clear_error() -> None:
    layer = Recurrent(3, 4, cell="rnn")
    x = torch.randn(5, 2, 3)
    with torch.no_grad():
        still = layer(x)[0].sum()
    for loss in (lambda model: still, lambda model: model(x)[0]):
        with pytest.raises(UserError, match="one number with a gradient"):
            gradients(layer, loss)
    with pytest.raises(UserError, match="does not depend"):
        gradients(layer, lambda model: (model(x), torch.ones(1, requires_grad=True))[1])


@every_cell
@few
@given(seeds, st.booleans())
def test_jacobians_are_finite_differences(cell: str, seed: int, reverse: bool) -> None:
    torch.manual_seed(seed)
    layer = Recurrent(
        3, 4, cell=cell, layer_norm=True, zoneout=0.2, bidirectional=True, dtype=torch.float64
    )
    x, lengths = torch.randn(6, 3, 3, dtype=torch.float64), torch.tensor([2, 6, 4])
    with opened(layer) as layers:
        layer(pack_padded_sequence(x, lengths, enforce_sorted=False))
    seen = layers.of("", reverse=reverse)[0]
    at = places(seen, 5)
    found = jacobian(seen, at)
    S = 4 * len(seen.cell.states)
    assert found.shape == (5, S, S)
    for (t, b), J in zip(at, found, strict=True):
        step = seen.steps[t]
        states = torch.cat([s[b] for s in step.before])
        # Where a sequence begins there is no step before.
        assert b < seen.rows.sizes[t + 1] if reverse else t > 0

        def after(state: Tensor, step=step, b=b) -> Tensor:  # type: ignore[no-untyped-def]
            parts = torch.split(state[None], 4, -1)
            return torch.cat(seen.advance(step.Wx[b : b + 1], parts), -1)[0]

        assert (after(states) - torch.cat([s[b] for s in step.after])).abs().max() < 1e-12
        for j in range(S):
            move = torch.zeros(S, dtype=torch.float64)
            move[j] = EPSILON
            slope = (after(states + move) - after(states - move)).detach() / (2 * EPSILON)
            assert (J[:, j] - slope).abs().max() < CLOSE * max(1, float(slope.abs().max()))
        exact = torch.autograd.functional.jacobian(after, states)  # type: ignore[no-untyped-call]
        assert (J - exact).abs().max() < 1e-12


def test_singular_values_and_radius_of_a_known_matrix() -> None:
    """A linear network that turns by an angle and grows by 1.1, beside a unit that fades."""
    angle = 0.7
    R = torch.tensor(
        [
            [1.1 * math.cos(angle), -1.1 * math.sin(angle), 0.0],
            [1.1 * math.sin(angle), 1.1 * math.cos(angle), 0.0],
            [0.0, 0.0, 0.4],
        ],
        dtype=torch.float64,
    )
    layer = Recurrent(1, 3, cell="rnn-relu", dtype=torch.float64)
    with torch.no_grad():
        weights = dict(layer.named_parameters())
        weights["weight_hh_l0"].copy_(R)
        weights["bias_ih_l0"].fill_(50.0)  # far from where relu bends
        weights["weight_ih_l0"].fill_(1.0)
    with opened(layer) as layers:
        layer(torch.rand(3, 2, 1, dtype=torch.float64))
    seen = layers.passes[0]
    at = places(seen, 4)
    values = singular_values(seen, at)
    assert np.abs(values.values - [1.1, 1.1, 0.4]).max() < 1e-12 and values.sample == 4
    assert values.spread is not None and np.abs(values.spread).max() < 1e-12
    assert spectral_radius(seen, at).number == pytest.approx(1.1, rel=1e-12)
    assert estimated_radius(seen, at).number == pytest.approx(1.1, rel=1e-6)


@every_cell
def test_the_radius_is_estimated_within_a_few_per_cent(cell: str) -> None:
    torch.manual_seed(3)
    layer = Recurrent(3, 48, cell=cell)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(3)
    with opened(layer) as layers:
        layer(torch.randn(12, 4, 3))
    seen = layers.passes[0]
    at = places(seen, 10)
    exact, guess = spectral_radius(seen, at), estimated_radius(seen, at)
    assert guess.number == pytest.approx(exact.number, rel=0.05)
