"""The networks made by hand do what they are made for, or no probe is tested by them."""

from __future__ import annotations

import pytest
import torch
from handmade import (
    FLIP_FLOPS,
    QUOTE,
    SMALL,
    counter,
    delay,
    depth,
    depth_meter,
    flip_flop,
    in_quotes,
    inside,
    on,
)

from elman import cells


def drawn(symbols: int, T: int = 40, B: int = 6, seed: int = 0) -> torch.Tensor:
    return torch.randint(symbols, (T, B), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("cell", cells.names())
def test_a_flip_flop_keeps_what_it_was_set_to(cell: str) -> None:
    assert cell in FLIP_FLOPS
    tokens = drawn(3)
    tokens[0] = 1
    y, _ = flip_flop(cell)(tokens)
    unit = y[..., 0] - y[..., 1] if cell == "rnn-relu" else y[..., 0]
    wanted = on(tokens)
    assert unit[wanted].min() > 0.7
    assert unit[~wanted].max() < 0.01


@pytest.mark.parametrize("cell", ["rnn-relu", "lstm"])
def test_counters_count(cell: str) -> None:
    tokens = drawn(3)
    y, _ = counter(cell)(tokens)
    counted = (tokens == 0).cumsum(0).double()
    met = y[..., 0] if cell == "rnn-relu" else y[..., 0].atanh() / SMALL
    torch.testing.assert_close(met, counted, rtol=0, atol=1e-2)
    tokens[tokens == 1] = 2
    tokens[20:] = 1 - (tokens[:20].flip(0) == 0).long()  # as many close as open, and none before
    tokens[20:][tokens[:20].flip(0) != 0] = 2
    y, _ = depth_meter(cell)(tokens)
    met = y[..., 0] if cell == "rnn-relu" else y[..., 0].atanh() / SMALL
    torch.testing.assert_close(met, depth(tokens).double(), rtol=0, atol=1e-2)


@pytest.mark.parametrize("cell", ["rnn", "rnn-relu", "lstm", "gru", "gru-reset-before"])
def test_a_unit_is_high_inside_quotes(cell: str) -> None:
    tokens = drawn(2)
    y, _ = in_quotes(cell)(tokens)
    wanted = inside(tokens)
    if cell.startswith("rnn"):
        wanted &= tokens != QUOTE
    assert y[..., 0][wanted].min() > 0.7
    assert y[..., 0][~wanted].max() < 0.01


def test_a_delay_line_holds_the_last_tokens() -> None:
    tokens, V = drawn(5), 5
    y, _ = delay(3, V)(tokens)
    for u in range(4):
        held = y[u:, :, u * V : (u + 1) * V]
        assert (held.argmax(-1) == tokens[: len(tokens) - u]).all()
        assert (held.sum(-1) == 1).all()
