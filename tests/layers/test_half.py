"""Layers whose products are in bf16: under autocast, as bf16 modules, and where that is asked."""

# ruff: noqa: E741  I is the input size, as in the alphabet of docs/design.md

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

import elman
from elman import cells, kernels
from elman.kernels import sweeps
from elman.layers.bands import BandConvolutions
from elman.layers.convolution import Convolutions, Layers
from elman.layers.precision import half

needs_bf16 = pytest.mark.skipif(
    kernels.available_half().instruction_set is None, reason=kernels.available_half().why
)
kinds = st.sampled_from(["RNN", "LSTM", "GRU"])
seeds = st.integers(0, 2**32 - 1)


def autocast() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16)


def layers(kind: str, *sizes: int, **options: Any) -> tuple[nn.Module, nn.Module]:
    """One of PyTorch and one of Elman, with the same weights."""
    theirs = getattr(nn, kind)(*sizes, **options)
    ours = getattr(elman.nn, kind)(*sizes, **options)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def flat(result: Any) -> list[Tensor]:
    y, state = result
    y = y.data if isinstance(y, PackedSequence) else y
    return [y, *(state if isinstance(state, tuple) else (state,))]


def trained(layer: nn.Module, x: Any, hx: Any, *, under_autocast: bool) -> list[Tensor]:
    """Outputs, and the gradients of all that has one."""
    leaves = [x.data if isinstance(x, PackedSequence) else x, *layer.parameters()]
    leaves[0].requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=under_autocast):
        outputs = flat(layer(x, hx))
    dys = [torch.cos(torch.arange(y.numel())).view(y.shape).to(y.dtype) for y in outputs]
    return outputs + list(torch.autograd.grad(outputs, leaves, dys))


def far(a: Tensor, exact: Tensor) -> float:
    return ((a.double() - exact).abs().max() / exact.abs().max()).item()


@needs_bf16
@settings(max_examples=30)
@given(kinds, seeds, st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_under_autocast_a_layer_is_no_further_from_the_truth_than_pytorchs(
    kind: str, seed: int, packed: bool, both: bool, given_state: bool, bf16_input: bool
) -> None:
    torch.manual_seed(seed)
    T, B, I, H = (int(torch.randint(a, b, ())) for a, b in ((4, 20), (1, 40), (1, 50), (8, 80)))
    theirs, ours = layers(kind, I, H, num_layers=2, bidirectional=both)
    exact = getattr(nn, kind)(I, H, num_layers=2, bidirectional=both).double()
    exact.load_state_dict(theirs.state_dict())
    lengths = torch.randint(1, T + 1, (B,)) if packed else torch.full((B,), T)
    clips = [torch.randn(int(n), I) for n in lengths]

    def asked(dtype: torch.dtype) -> tuple[Any, Any]:
        g = torch.Generator().manual_seed(seed)
        parts = [c.to(dtype) for c in clips]
        x = pack_sequence(parts, enforce_sorted=False) if packed else torch.stack(parts, 1)
        if not given_state:
            return x, None
        state = tuple(torch.randn(2 * (1 + both), B, H, generator=g).to(dtype) for _ in range(2))
        return x, state if kind == "LSTM" else state[0]

    own = torch.bfloat16 if bf16_input else torch.float32
    truth = trained(exact, *asked(torch.float64), under_autocast=False)
    found = {who: trained(m, *asked(own), under_autocast=True) for who, m in
             (("theirs", theirs), ("ours", ours))}  # fmt: skip
    for a, b, t in zip(found["ours"], found["theirs"], truth, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        assert far(a, t) <= 2 * far(b, t) + 0.02


@needs_bf16
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_bf16_module_gives_bf16_and_gradients_of_it(kind: str) -> None:
    torch.manual_seed(1)
    theirs, ours = (m.bfloat16() for m in layers(kind, 30, 40))
    x = torch.randn(9, 20, 30, dtype=torch.bfloat16)
    a, b = (trained(m, x.clone(), None, under_autocast=False) for m in (ours, theirs))
    assert "bf16" in elman.fused(ours).rows[0].why
    for mine, other in zip(a, b, strict=True):
        assert mine.dtype == other.dtype == torch.bfloat16
        assert far(mine, other.double()) < 0.05


@needs_bf16
@pytest.mark.parametrize("cell", cells.names())
def test_asked_for_half_products_are_in_bf16_and_all_else_in_float32(cell: str) -> None:
    torch.manual_seed(2)
    layer = elman.nn.Recurrent(30, [40, 24], cell=cell, bidirectional=True)
    x = torch.randn(9, 20, 30)
    exact, last = layer(x)
    with half():
        y, state = layer(x)
    ours, theirs = ([y, *itertools.chain(*state)], [exact, *itertools.chain(*last)])
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == torch.float32
        assert not torch.equal(a, b) and far(a, b.detach().double()) < 0.02


@needs_bf16
@pytest.mark.parametrize(
    "front", [Convolutions(40, [16, 24], [5, 3], [2, 1]), BandConvolutions(40, [8, 12], steps=5)]
)
def test_convolutions_are_so_too(front: Layers) -> None:
    torch.manual_seed(6)
    x, lengths = torch.randn(3, 50, 40), torch.tensor([50, 31, 4])
    weights, dy, found = list(front.parameters()), torch.randn(3, 50, front.output_size), []
    for wanted in (False, True):
        with half(wanted):
            y, _ = front(x, lengths)
            found.append([y, *torch.autograd.grad(y, weights, dy[:, : y.shape[1]])])
    for exact, ours in zip(*found, strict=True):
        assert ours.dtype == torch.float32 and not torch.equal(ours, exact)
        # Gradients of what a norm and ReLU follow are sums that nearly cancel.
        alike = torch.cosine_similarity(ours.flatten(), exact.flatten(), 0)
        assert alike > (0.9999 if ours.shape == y.shape else 0.98)


@needs_bf16
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e-42, 3e38])
def test_what_is_no_number_stays_in_its_row(kind: str, bad: float) -> None:
    torch.manual_seed(3)
    layer = getattr(elman.nn, kind)(17, 33)
    x = torch.randn(6, 20, 17)
    x[2, 7, 3] = 0.0
    spoilt = x.clone()
    spoilt[2, 7, 3] = bad
    with autocast():
        y, _ = layer(x)
        z, _ = layer(spoilt)
    others = torch.arange(20) != 7
    assert torch.equal(y[:, others], z[:, others]) and torch.equal(y[:2], z[:2])
    assert torch.isnan(z[2:, 7]).any() == (bad != bad)
    if bad == 1e-42:
        assert torch.equal(y, z)


@needs_bf16
@pytest.mark.parametrize("cell", sweeps.GATES)
def test_tokens_are_the_vectors_that_they_stand_for(cell: str) -> None:
    torch.manual_seed(4)
    layer = elman.nn.Recurrent(11, 20, cell=cell)
    ids = torch.randint(0, 11, (7, 30))
    results = []
    for x in (ids, nn.functional.one_hot(ids, 11).float()):
        with half():
            y, _ = layer(x)
        results.append([y, *torch.autograd.grad(y.sin().sum(), list(layer.parameters()))])
    for a, b in zip(*results, strict=True):
        assert far(a, b.detach().double()) < 0.03


@needs_bf16
def test_a_gradient_of_the_gradient_is_that_of_float32_but_for_rounding() -> None:
    torch.manual_seed(5)
    layer = elman.nn.GRU(8, 16)
    x = torch.randn(4, 24, 8, requires_grad=True)
    found = []
    for wanted in (False, True):
        with half(wanted):
            y, _ = layer(x)
        (first,) = torch.autograd.grad(y.float().sin().sum(), x, create_graph=True)
        found.append(torch.autograd.grad(first.square().sum(), x)[0])
    assert far(found[1], found[0].double()) < 0.05


def test_the_switch_leaves_autocast_to_pytorch() -> None:
    program = """
import torch, elman
a, b = torch.nn.LSTM(8, 16), elman.nn.LSTM(8, 16)
b.load_state_dict(a.state_dict())
x = torch.randn(5, 20, 8)
with torch.autocast("cpu", torch.bfloat16):
    assert torch.equal(a(x)[0], b(x)[0])
    print(elman.fused(b))
"""
    environment = os.environ | {"ELMAN_PRECISION": "float32"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "ELMAN_PRECISION is float32" in done.stdout
