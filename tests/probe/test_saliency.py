"""Shares of steps against finite differences and brute force, for every cell and form of input."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from handmade import OTHER, flip_flop
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from elman import cells
from elman.errors import UserError
from elman.layers.recurrent import Recurrent
from elman.probe.saliency import (
    Saliency,
    asked,
    gradient_times_input,
    integrated_gradients,
    occlusion,
)

seeds = st.integers(0, 2**32 - 1)
every_cell = pytest.mark.parametrize("cell", cells.names())
T, B, I, H = 6, 3, 4, 5  # noqa: E741
KINKED = ("rnn-relu", "mingru", "minlstm")


class Net(nn.Module):
    """Layers and one number at the end of each sequence."""

    def __init__(self, recurrent: nn.Module) -> None:
        super().__init__()
        self.recurrent, self.out = recurrent, nn.Linear(H, 1).double()

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.recurrent(x)
        told: Tensor = self.out(y[-1])[:, 0]
        return told


def net(cell: str, seed: int = 0) -> Net:
    torch.manual_seed(seed)
    return Net(Recurrent(I, H, 2, cell=cell, dropout=0.5, dtype=torch.float64)).train()


def drawn(seed: int = 0) -> Tensor:
    return torch.randn(T, B, I, generator=torch.Generator().manual_seed(seed)).double()


def plain(model: nn.Module, x: Tensor) -> Tensor:
    """Asked without any probe."""
    model.eval()
    with torch.no_grad():
        found: Tensor = model(x)
    return found


def modes(model: nn.Module) -> list[bool]:
    return [module.training for module in model.modules()]


@every_cell
def test_gradients_are_those_of_finite_differences(cell: str) -> None:
    model, x, e = net(cell), drawn(), 1e-6
    b = torch.full_like(x, 0.3)
    before = torch.get_rng_state()
    with asked(model, lambda m: m(x)) as (answer, entered):
        assert modes(model) == [False] * 3
        found = gradient_times_input(answer, entered, b)
    assert modes(model) == [True] * 3
    assert (torch.get_rng_state() == before).all()
    assert all(p.grad is None for p in model.parameters())
    assert not model.recurrent._forward_pre_hooks
    torch.testing.assert_close(entered, x)
    expected = np.zeros((T, B))
    for t in range(T):
        for i in range(I):
            step = torch.zeros_like(x)
            step[t, :, i] = e
            slope = (plain(model, x + step) - plain(model, x - step)) / (2 * e)
            expected[t] += ((x - b)[t, :, i] * slope).numpy()
    np.testing.assert_allclose(found.values, expected, atol=1e-7)
    np.testing.assert_allclose(found.answer, plain(model, x), atol=1e-12)
    np.testing.assert_allclose(found.baseline, plain(model, b), atol=1e-12)


@every_cell
def test_integrated_gradients_are_complete_and_those_of_a_fine_sum(cell: str) -> None:
    model, x = net(cell), 3 * drawn()
    change = plain(model, x) - plain(model, 0 * x)
    scale = float(abs(change).max())
    with asked(model, lambda m: m(x)) as (answer, entered):
        found = integrated_gradients(answer, entered, tolerance=1e-3, most=64)
        coarse = integrated_gradients(answer, entered, most=1)
    # A kink in the way is met between two places only as near as they stand.
    near = 5e-2 if cell in KINKED else 1e-3
    np.testing.assert_allclose(found.values.sum(0), change, atol=near * scale)
    assert found.complete or cell in KINKED
    assert abs(coarse.gap).max() > abs(found.gap).max()
    np.testing.assert_allclose(coarse.gap, coarse.values.sum(0) - change.numpy(), atol=1e-12)
    assert (coarse.points, coarse.way) == (1, "integrated gradients")
    model.eval()
    total, n = torch.zeros_like(x), 100
    for k in range(n):
        place = (x * (k + 0.5) / n).requires_grad_()
        total += torch.autograd.grad(model(place).sum(), place)[0] / n
    np.testing.assert_allclose(found.values, (x * total).sum(-1), atol=5e-2 * scale)


@every_cell
def test_occlusion_is_brute_force(cell: str) -> None:
    model, x = net(cell), drawn(1)
    b = torch.full((I,), 0.5)
    with asked(model, lambda m: m(x)) as (answer, entered):
        found, wide = occlusion(answer, entered, b), occlusion(answer, entered, b, width=3)
    for t in range(T):
        for one, steps in ((found, [t]), (wide, [s for s in (t - 1, t, t + 1) if 0 <= s < T])):
            without = x.clone()
            without[steps] = 0.5
            fall = plain(model, x) - plain(model, without)
            np.testing.assert_allclose(one.values[t], fall, atol=1e-12)
    with pytest.raises(UserError, match="6 steps"):
        occlusion(answer, entered, width=7)


@pytest.mark.parametrize("way", [gradient_times_input, integrated_gradients, occlusion])
def test_of_a_sum_every_way_tells_the_terms(way: Callable[..., Saliency]) -> None:
    layer = nn.RNN(I, 1, nonlinearity="relu", bias=False).double()
    W, R = torch.arange(1.0, I + 1).view(1, I), torch.full((1, 1), 0.5)
    layer.load_state_dict({"weight_ih_l0": W, "weight_hh_l0": R})
    x = drawn().abs()
    with asked(layer, lambda m: m(x)[0][-1, :, 0]) as (answer, entered):
        found = way(answer, entered)
    terms = (x * torch.arange(1, I + 1)).sum(-1) * 0.5 ** torch.arange(T - 1, -1, -1)[:, None]
    np.testing.assert_allclose(found.values, terms, atol=1e-12)
    np.testing.assert_allclose(found.gap, 0, atol=1e-12)
    assert "0.0%" in found.told()
    assert found.measured().axes == ("step", "sequence")


@pytest.mark.parametrize("cell", ["lstm", "gru", "gru-reset-before", "minlstm", "mingru"])
def test_a_flip_flop_depends_on_what_set_it_last(cell: str) -> None:
    tokens = torch.randint(3, (15, 6), generator=torch.Generator().manual_seed(2))
    tokens[0], tokens[-1] = 1, 2
    tokens[3] = 0  # set at least once, so that a reset after it matters
    layer, nothing = flip_flop(cell), torch.eye(3).double()[OTHER]
    with asked(layer, lambda m: m(tokens)[0][-1, :, 0]) as (answer, x):
        hidden = occlusion(answer, x, nothing)
        integrated = integrated_gradients(answer, x, nothing, most=32)
    moved = tokens != OTHER
    for b in range(tokens.shape[1]):
        last = int(moved[:, b].nonzero()[-1])
        others = [t for t in range(15) if t != last]
        before = moved[:last, b].nonzero()
        changed = not len(before) or tokens[before[-1], b] != tokens[last, b]
        assert (abs(hidden.values[last, b]) > 0.5) == bool(changed)
        np.testing.assert_allclose(hidden.values[others, b], 0, atol=1e-6)
        assert (hidden.values[~moved[:, b].numpy(), b] == 0).all()
    assert (integrated.values[~moved.numpy()] == 0).all()


@settings(max_examples=8)
@given(seeds, st.sampled_from(["one-hot", "embedding", "packed", "batch first", "one", "torch"]))
def test_whatever_the_form_of_the_input_the_answer_is_the_same(seed: int, form: str) -> None:
    draw = torch.Generator().manual_seed(seed)
    tokens = torch.randint(I, (T, B), generator=draw)
    table = torch.randn(I, I, generator=draw).double()
    kind = nn.GRU if form == "torch" else Recurrent
    options = {"cell": "gru"} if kind is Recurrent else {}
    layer = kind(I, H, batch_first=form in ("batch first", "torch"), **options).double()  # type: ignore[arg-type]
    lengths = torch.tensor([T - 2, T, T - 1])
    x = torch.eye(I).double()[tokens] if form == "one-hot" else table[tokens]

    def call(m: nn.Module) -> Tensor:
        if form == "one-hot":
            y, _ = m(tokens)
        elif form == "embedding":
            y, _ = m(tokens, embedding=table)
        elif form == "packed":
            y, _ = m(pack_padded_sequence(x, lengths, enforce_sorted=False))
            padded, _ = pad_packed_sequence(y)
            last: Tensor = padded[lengths - 1, torch.arange(B), 0]
            return last
        elif form == "one":
            y = m(tokens[:, 0], embedding=table)[0][:, None]
        else:
            y, _ = m(x.transpose(0, 1))
            y = y.transpose(0, 1)
        return torch.as_tensor(y[-1, :, 0])

    with asked(layer, call) as (answer, entered):
        found = integrated_gradients(answer, entered, tolerance=1e-6, most=64)
        again = answer(entered)
    with torch.no_grad():
        torch.testing.assert_close(again.detach(), call(layer).reshape(-1), rtol=0, atol=1e-12)
    there = torch.arange(T)[:, None] < (lengths if form == "packed" else torch.full((B,), T))
    shown = x[:, :1] if form == "one" else x
    torch.testing.assert_close(
        entered[there[:, : entered.shape[1]]], shown[there[:, : shown.shape[1]]]
    )
    assert (found.values[~there[:, : entered.shape[1]].numpy()] == 0).all()
    np.testing.assert_allclose(found.gap, 0, atol=1e-6)


def test_an_answer_for_all_sequences_is_the_sum_of_theirs() -> None:
    model, x = net("gru"), drawn()
    with asked(model, lambda m: m(x)) as (answer, entered):
        each = integrated_gradients(answer, entered, tolerance=1e-6, most=64)
    with asked(model, lambda m: m(x).sum()) as (answer, entered):
        both = integrated_gradients(answer, entered, tolerance=1e-6, most=64)
    np.testing.assert_allclose(both.values, each.values, atol=1e-6)
    np.testing.assert_allclose(both.answer, [each.answer.sum()])
    np.testing.assert_allclose(both.gap, 0, atol=1e-6)
    assert both.complete
    assert "1 answer," in both.told()


def test_what_cannot_be_asked_is_told() -> None:
    model, x = net("lstm"), drawn()
    for call, path, told in (
        (lambda m: m.recurrent(x)[0][-1], None, "one number for each"),
        (lambda m: m(x)[:2], None, "2 answers for 3"),
        (lambda m: m(x) + m(x), None, "called 2 times"),
        (lambda m: torch.zeros(3), None, "called 0 times"),
        (lambda m: m(x), "encoder", "there are recurrent"),
    ):
        with pytest.raises(UserError, match=told), asked(model, call, path):
            pass
        assert not model.recurrent._forward_pre_hooks
    with pytest.raises(UserError, match="no recurrent layer"), asked(nn.Linear(1, 1), lambda m: x):
        pass
