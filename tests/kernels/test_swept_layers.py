"""Layers that the sweeps run are the reference, and their gradients behave as those of PyTorch."""
# ruff: noqa: E741  I is the input size, as in the alphabet of docs/design.md

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from problems import I, close, every_cell, needs_kernels, seeds, sizes, some

from elman import cells, kernels
from elman.kernels import sweeps
from elman.kernels.sweeps import HALF
from elman.layers.scan import Direction, _full, choose, reference, scan, swept

pytestmark = needs_kernels


def layer(cell: str, I: int, H: int) -> Direction:
    G = sweeps.GATES[cell]
    weights = [torch.randn(G * H, I), torch.randn(G * H, H) / (2 * H**0.5)]
    biases = [torch.randn(G * H), torch.randn(G * H)]
    return Direction(*(w.requires_grad_() for w in (*weights, *biases)))


@every_cell
@some
@given(sizes, seeds, st.booleans(), st.booleans(), st.booleans())
def test_a_layer_is_the_reference(
    cell: str, size: tuple[int, int, int], seed: int, packed: bool, both: bool, bias: bool
) -> None:
    T, B, H = size
    torch.manual_seed(seed)
    directions = [layer(cell, I, H) for _ in range(1 + both)]
    if not bias:
        directions = [Direction(d.weight_ih, d.weight_hh) for d in directions]
    lengths = torch.randint(1, T + 1, (B,)) if packed else torch.full((B,), T)
    alive = (lengths[None] > torch.arange(int(lengths.max()))[:, None]).sum(1)
    x = torch.randn(int(alive.sum()), I)
    if not packed:
        x = x.view(B, T, I).transpose(0, 1)  # not contiguous
    state = tuple(torch.randn(1 + both, B, H) for _ in cells.get(cell).states)
    results = []
    for dtype, ours in ((torch.float32, True), (torch.float64, False)):
        cast = [
            Direction(**{n: w.detach().to(dtype) for n, w in vars(d).items() if w is not None})
            for d in directions
        ]
        leaves = [x.to(dtype), *(s.to(dtype) for s in state)]
        leaves += [w for d in cast for w in vars(d).values() if w is not None]
        for leaf in leaves:
            leaf.requires_grad_()
        xs, ss = leaves[0], tuple(leaves[1 : 1 + len(state)])
        rest = (xs, alive if packed else None, ss, cast)
        y, final = swept(cell, *rest) if ours else reference(cells.get(cell), *rest)
        outputs = (y, *final)
        ones = [torch.cos(torch.arange(o.numel())).view(o.shape).to(dtype) for o in outputs]
        results.append((*outputs, *torch.autograd.grad(outputs, leaves, ones)))
    close(results[0], results[1])


def test_a_graph_may_be_kept_and_used_twice() -> None:
    torch.manual_seed(0)
    d = layer("gru", I, 6)
    x, h = torch.randn(4, 3, I, requires_grad=True), torch.zeros(1, 3, 6)
    y, _ = scan(cells.get("gru"), x, None, (h,), [d])
    first = torch.autograd.grad(y.sum(), x, retain_graph=True)[0]
    assert torch.equal(first, torch.autograd.grad(y.sum(), x)[0])


def test_a_weight_of_two_uses_has_the_sum_of_both_gradients() -> None:
    torch.manual_seed(0)
    W = torch.randn(6, 6, requires_grad=True)
    bias = torch.randn(6, requires_grad=True)
    x, h = torch.randn(20, 30, 6), torch.randn(1, 30, 6)
    y, _ = scan(cells.get("rnn"), x, None, (h,), [Direction(W, W, bias, bias)])
    once = torch.autograd.grad(y.square().sum(), (W, bias), retain_graph=True)
    again = torch.autograd.grad(y.square().sum(), (W, bias), create_graph=True)
    close(again, once)


def test_tokens_changed_before_backward_are_noticed() -> None:
    ids = torch.randint(0, I, (4, 3))
    zero = torch.zeros(1, 3, 6)
    y, _ = scan(cells.get("lstm"), ids, None, (zero, zero), [layer("lstm", I, 6)])
    ids.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.backward(y.sum())


def test_many_gradients_at_once_are_those_one_by_one() -> None:
    torch.manual_seed(0)
    x, zero = torch.randn(4, 3, I, requires_grad=True), torch.zeros(1, 3, 6)
    y, _ = scan(cells.get("gru"), x, None, (zero,), [layer("gru", I, 6)])
    dys = torch.randn(5, *y.shape)
    (at_once,) = torch.autograd.grad(y, x, dys, is_grads_batched=True, retain_graph=True)
    one_by_one = [torch.autograd.grad(y, x, dy, retain_graph=True)[0] for dy in dys]
    close((at_once,), (torch.stack(one_by_one),))


@every_cell
def test_types_and_devices_of_the_moment_do_not_matter(cell: str) -> None:
    torch.manual_seed(0)
    d, x = layer(cell, I, 6), torch.randn(4, 3, I)
    state = tuple(torch.zeros(1, 3, 6) for _ in cells.get(cell).states)
    expected, _ = scan(cells.get(cell), x, None, state, [d])
    _full.cache_clear()
    try:
        torch.set_default_dtype(torch.float64)
        with torch.device("meta"):
            y, _ = scan(cells.get(cell), x, None, state, [d])
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(y, expected)


def test_an_empty_batch_gives_an_empty_output() -> None:
    y, (h,) = scan(
        cells.get("gru"), torch.zeros(4, 0, I), None, (torch.zeros(1, 0, 6),), [layer("gru", I, 6)]
    )
    assert y.shape == (4, 0, 6) and h.shape == (1, 0, 6)


def test_only_what_is_asked_has_a_gradient() -> None:
    torch.manual_seed(0)
    d = layer("lstm", I, 6)
    assert d.weight_hh is not None
    frozen = Direction(d.weight_ih.detach(), d.weight_hh.detach())
    zero = torch.zeros(1, 3, 6)
    c = torch.randn(1, 3, 6, requires_grad=True)
    _, (_, last) = scan(cells.get("lstm"), torch.randn(4, 3, I), None, (zero, c), [frozen])
    (gradient,) = torch.autograd.grad(last.sum(), c)
    assert gradient.isfinite().all()
    y, _ = scan(cells.get("lstm"), torch.randn(4, 3, I), None, (zero, zero), [frozen])
    assert not y.requires_grad


@every_cell
def test_a_gradient_has_a_gradient(cell: str) -> None:
    torch.manual_seed(0)
    one, x = layer(cell, I, 6), torch.randn(4, 3, I)
    state = tuple(torch.randn(1, 3, 6) for _ in cells.get(cell).states)
    found = []
    for dtype in (torch.float32, torch.float64):
        weights = {n: w.detach().to(dtype) for n, w in vars(one).items() if w is not None}
        leaves = [x.to(dtype), *weights.values()]
        for leaf in leaves:
            leaf.requires_grad_()
        initial = tuple(s.to(dtype) for s in state)
        y, final = scan(cells.get(cell), leaves[0], None, initial, [Direction(**weights)])
        first = torch.autograd.grad(y.sin().sum() + final[-1].sum(), leaves, create_graph=True)
        squares = torch.stack([d.square().sum() for d in first]).sum()
        found.append(torch.autograd.grad(squares, leaves))
    close(found[0], found[1])


def test_weights_changed_before_backward_are_noticed() -> None:
    d = layer("lstm", I, 6)
    zero = torch.zeros(1, 3, 6)
    y, _ = scan(cells.get("lstm"), torch.randn(4, 3, I), None, (zero, zero), [d])
    with torch.no_grad():
        d.weight_hh.mul_(2)  # type: ignore[union-attr]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(y.sum(), d.weight_ih)


def test_the_choice_follows_type_and_mode() -> None:
    d = layer("lstm", I, 6)
    assert "Elman" in choose(cells.get("lstm"), [d]).why
    double = Direction(*(w.double() for w in vars(d).values() if w is not None))
    assert "float64" in choose(cells.get("lstm"), [double]).why
    with torch.autocast("cpu", torch.float16):
        assert "autocast" in choose(cells.get("lstm"), [d]).why
    with torch.autocast("cpu", torch.bfloat16):
        half = choose(cells.get("lstm"), [d])
    if kernels.available_half().instruction_set:
        assert half.numbers is HALF and "in bf16" in half.why
    else:
        assert not isinstance(half.kernel, str) and kernels.available_half().why in half.why
