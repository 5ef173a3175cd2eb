"""Convolutions over time and bands: convolutions over time whose weights are shared over pitch."""

from __future__ import annotations

import random

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from elman.errors import UserError
from elman.layers.bands import BANDS, EVERY, BandConvolutions
from elman.layers.convolution import MaskedNorm

CLOSE = 1e-9  # in float64


def made(seed: int, *, causal: bool = True, pooled: bool | None = None) -> BandConvolutions:
    """A front of random sizes whose norms are no longer at their start."""
    draw = random.Random(seed)
    torch.manual_seed(seed)
    filters = [draw.randint(1, 4) for _ in range(draw.randint(1, 3))]
    layer = BandConvolutions(
        draw.randint(1, 17), filters, planes=draw.randint(1, 2), causal=causal,
        pooled=draw.random() < 0.5 if pooled is None else pooled, steps=draw.randint(1, 6),
    )  # fmt: skip
    for value in (*layer.norms.parameters(), *layer.norms.buffers()):
        value.data.uniform_(0.5, 1.5)
    return layer.double().eval()


def inputs(layer: BandConvolutions) -> int:
    return layer.pairs[0][0].in_channels


@settings(max_examples=30)
@given(
    lengths=st.lists(st.integers(1, 15), min_size=2, max_size=4), seed=st.integers(0, 10**6),
    causal=st.booleans(),
)  # fmt: skip
def test_a_clip_reads_the_same_alone_and_among_others(
    lengths: list[int], seed: int, causal: bool
) -> None:
    layer = made(seed, causal=causal)
    x = torch.randn(len(lengths), max(lengths), inputs(layer), dtype=torch.float64)
    for row, length in zip(x, lengths, strict=True):
        row[length:] = torch.nan  # what stands in the padding never enters
    y, left = layer(x, torch.tensor(lengths))
    assert left.tolist() == lengths and y.shape[-1] == layer.output_size
    for k, length in enumerate(lengths):
        alone, _ = layer(x[k : k + 1, :length], torch.tensor([length]))
        assert torch.allclose(y[k, :length], alone[0], rtol=0, atol=CLOSE)
        assert not y[k, length:].any()


@pytest.mark.parametrize("seed", range(20))
def test_it_is_a_convolution_over_time_of_the_weights_that_it_tells(seed: int) -> None:
    layer = made(seed, pooled=False)
    x = torch.randn(2, 9, inputs(layer), dtype=torch.float64)
    y = x.transpose(1, 2)
    for convolution, norm in layer.pairs:
        assert isinstance(norm, MaskedNorm)
        factor, shift = norm.affine()
        weight = convolution.weight * factor[:, None, None]
        assert weight.shape[:2] == (convolution.out_channels, convolution.in_channels)
        y = F.relu(F.conv1d(F.pad(y, (convolution.kernel_size[0] - 1, 0)), weight, shift))
    found, _ = layer(x, torch.tensor([9, 9]))
    assert torch.allclose(found, y.transpose(1, 2), rtol=0, atol=CLOSE)


@pytest.mark.parametrize("seed", range(10))
def test_what_sounds_higher_is_found_higher_and_pooled_alike(seed: int) -> None:
    """A sound far from both ends of the spectrum, moved by as many bands as one that is left."""
    torch.manual_seed(seed)
    layer = BandConvolutions(64, [3, 2], pooled=True).double().eval()
    moved = EVERY ** len(layer.layers)
    x = torch.zeros(1, 8, 64, dtype=torch.float64)
    x[:, 2:6, 24:28] = torch.randn(4, 4, dtype=torch.float64)
    low, high = (layer(each, torch.tensor([8]))[0] for each in (x, x.roll(moved, -1)))
    by_filter = [y[0, :, : 2 * layer.bands].unflatten(-1, (2, layer.bands)) for y in (low, high)]
    assert by_filter[0].any() and torch.allclose(by_filter[0].roll(1, -1), by_filter[1])
    assert torch.allclose(low[..., 2 * layer.bands :], high[..., 2 * layer.bands :])


@pytest.mark.parametrize("lengths", [[9, 9, 9], [9, 4, 7]])
def test_the_norm_of_a_filter_is_over_all_bands_and_all_steps_that_are_no_padding(
    lengths: list[int],
) -> None:
    layer = BandConvolutions(11, [3]).double()
    x = torch.randn(3, 9, 11, dtype=torch.float64)
    found, _ = layer(x, torch.tensor(lengths))
    convolution, theirs = layer.layers[0], nn.BatchNorm1d(3).double()
    read = F.pad(x.transpose(1, 2), (1, 1)) * mask(lengths, 9, 1)
    y = convolution(layer.apart(read, 0))  # [B, filters, M', T]
    alive = torch.cat([y[k, :, :, :n].flatten(1) for k, n in enumerate(lengths)], 1)
    true = F.relu(theirs(alive.T)).T
    own = found.transpose(1, 2).unflatten(1, (3, layer.bands))
    ours = torch.cat([own[k, :, :, :n].flatten(1) for k, n in enumerate(lengths)], 1)
    assert torch.allclose(ours, true, rtol=0, atol=CLOSE)
    norm = layer.norms[0]
    assert isinstance(norm, MaskedNorm)
    norm.affine()  # takes the batch in
    torch.testing.assert_close(norm.running_var, theirs.running_var)
    torch.testing.assert_close(norm.running_mean, theirs.running_mean)


def mask(lengths: list[int], steps: int, ends: int) -> Tensor:
    """[B, 1, steps + 2 * ends]: where steps of x are, `ends` zeros at either side."""
    return F.pad((torch.arange(steps) < torch.tensor(lengths)[:, None]).double(), (ends, ends))[
        :, None
    ]


def test_sizes_that_do_not_fit_are_told() -> None:
    for bands, filters in ((0, [1]), (4, []), (4, [0])):
        with pytest.raises(UserError, match="at least 1"):
            BandConvolutions(bands, filters)
    assert BandConvolutions(1, [1, 1]).bands == 1 and BANDS % 2
