"""A causal front hears a sequence in chunks of any length as it reads the whole."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from elman.layers.bands import BandConvolutions
from elman.layers.convolution import Convolutions, Layers


def front(draw: random.Random, *, bands: bool = False) -> Layers:
    layers = draw.randint(1, 3)
    widths = [draw.randint(1, 6) for _ in range(layers)]
    strides = [draw.randint(1, width) for width in widths]
    filters = [draw.randint(1, 5) for _ in range(layers)]
    made: Layers = Convolutions(3, filters, widths, strides, causal=True).double()
    if bands:
        planes, pooled = draw.randint(1, 2), draw.random() < 0.5
        sizes = draw.randint(1, 17), filters
        made = BandConvolutions(*sizes, planes=planes, pooled=pooled, causal=True).double()
    for parameter in (*made.parameters(), *made.buffers()):
        parameter.data.uniform_(0.1, 1.0)
    return made.eval()


@pytest.mark.parametrize("bands", [False, True])
@settings(max_examples=50)
@given(seed=st.integers(0, 10**6), steps=st.integers(1, 40))
def test_chunks_of_any_length_give_the_steps_of_the_whole(
    bands: bool, seed: int, steps: int
) -> None:
    torch.manual_seed(seed)
    draw = random.Random(seed)
    layer = front(draw, bands=bands)
    x = torch.randn(steps, layer.pairs[0][0].in_channels, dtype=torch.float64)
    whole, _ = layer(x[None], torch.tensor([steps]))
    found: list[Tensor] = []
    heard: list[Tensor] | None = None
    at = 0
    while at < steps:
        size = draw.randint(0, 9)
        y, heard = layer.listen(x[at : at + size], heard)
        found.append(y)
        at += size
    assert heard is not None
    assert ([tuple(part.shape) for part in heard], len(whole[0])) == layer.kept(steps)
    torch.testing.assert_close(torch.cat(found), whole[0], rtol=1e-12, atol=1e-12)


def test_what_looks_ahead_or_learns_cannot_be_listened_with() -> None:
    draw = random.Random(0)
    with pytest.raises(ValueError, match="causal"):
        Convolutions(3, [2], [3], [1]).eval().listen(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="does not learn"):
        front(draw).train().listen(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="wider"):
        Convolutions(3, [2], [1], [2], causal=True).eval().listen(torch.zeros(2, 3))
