"""Averages over time: fixed filters, the same alone and among others, and as steps arrive."""

from __future__ import annotations

import random

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from elman.errors import UserError
from elman.layers.averages import Averages

CLOSE = 1e-12  # of means in float64


def made(draw: random.Random, *, causal: bool) -> Averages:
    counts = [draw.choice([1, 2, draw.randint(1, 9)]) for _ in range(draw.randint(1, 3))]
    return Averages(draw.randint(1, 4), counts, causal=causal)


def steps(draw: random.Random, layer: Averages, rows: int, length: int) -> Tensor:
    torch.manual_seed(draw.randint(0, 10**6))
    return torch.randn(rows, length, layer.input_size, dtype=torch.float64)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_an_average_is_a_filter_whose_weights_are_alike(seed: int, causal: bool) -> None:
    draw = random.Random(seed)
    layer, length = made(draw, causal=causal), draw.randint(1, 20)
    x = steps(draw, layer, 2, length)
    found, lengths = layer(x, torch.tensor([length] * 2))
    assert found.shape == (2, length, layer.output_size) and lengths.tolist() == [length] * 2
    itself, *means = torch.split_with_sizes(found, [layer.input_size] * (1 + len(layer.counts)), 2)
    assert torch.equal(itself, x)
    for count, mean in zip(layer.counts, means, strict=True):
        before = count - 1 if causal else (count - 1) // 2
        padded = F.pad(x.transpose(1, 2), (before, count - 1 - before)).reshape(
            -1, 1, length + count - 1
        )
        wanted = F.conv1d(padded, torch.full((1, 1, count), 1 / count, dtype=torch.float64))
        wanted = wanted.view(2, -1, length).transpose(1, 2)
        torch.testing.assert_close(mean, wanted, rtol=0, atol=CLOSE)


@pytest.mark.parametrize("seed", range(10))
def test_a_clip_is_averaged_alike_alone_and_among_others(seed: int) -> None:
    draw = random.Random(seed)
    layer = made(draw, causal=bool(seed % 2))
    lengths = [draw.randint(1, 15) for _ in range(3)]
    x = steps(draw, layer, 3, max(lengths))
    for row, length in zip(x, lengths, strict=True):
        row[length:] = torch.nan  # what stands in the padding never enters
    found, _ = layer(x, torch.tensor(lengths))
    for k, length in enumerate(lengths):
        alone, _ = layer(x[k : k + 1, :length], torch.tensor([length]))
        torch.testing.assert_close(found[k, :length], alone[0], rtol=0, atol=CLOSE)


@pytest.mark.parametrize("seed", range(10))
def test_what_is_heard_piece_by_piece_is_what_is_heard_at_once(seed: int) -> None:
    draw = random.Random(seed)
    layer, length = made(draw, causal=True), draw.randint(1, 30)
    (x,) = steps(draw, layer, 1, length)
    whole, _ = layer(x[None], torch.tensor([length]))
    parts, heard, at = [layer.listen(x[:0])[0]], None, 0
    _, heard = layer.listen(x[:0], heard)
    while at < length:
        more = draw.randint(0, 5)
        found, heard = layer.listen(x[at : at + more], heard)
        at = min(length, at + more)
        parts.append(found)
        assert ([tuple(part.shape) for part in heard], at) == layer.kept(at)
    torch.testing.assert_close(torch.cat(parts), whole[0], rtol=0, atol=CLOSE)
    with pytest.raises(ValueError, match="look back"):
        made(draw, causal=False).listen(x)


def test_averages_of_nothing_are_refused() -> None:
    for counts in ([], [0], [3, -1]):
        with pytest.raises(UserError, match="1 step or more"):
            Averages(2, counts)
