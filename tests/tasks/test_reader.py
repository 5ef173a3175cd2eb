"""Padding never changes an answer: a sequence alone and among others, whatever the network."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from elman import cells
from elman.data.batching import Buckets, padded
from elman.tasks.networks import NetworkOptions
from elman.tasks.reader import Pool, Pooling, Reader

# Sums of a batch's rows are taken in another order than of one alone: float32's last bits.
CLOSE = 2e-6
LENGTHS = (5, 1, 9, 3, 9, 2)


def networks() -> list[dict[str, Any]]:
    """Every cell in both directions, and what else sits in a layer."""
    return [
        *({"cell": (name,), "bidirectional": (both,)} for name in cells.names()
          for both in (False, True)),
        {"cell": ("lstm", "gru"), "bidirectional": (True, False)},
        {"cell": ("gru",), "layer_norm": True, "zoneout": 0.2, "recurrent_dropout": 0.2},
        {"cell": ("lstm",), "initial_state": "learned", "input_dropout": 0.3},
        {"cell": ("rnn",), "num_layers": 2, "residual": True, "weight_drop": 0.3},
    ]  # fmt: skip


def make(options: dict[str, Any], pooling: Pooling, symbols: int, embedding: int) -> Any:
    torch.manual_seed(1)
    settled: dict[str, Any] = {"hidden_size": (7,), "dropout": 0.4, "weight_drop": 0.0} | options
    reader = Reader(NetworkOptions(**settled), 4, symbols, embedding).eval()
    pool = Pool(pooling, reader.output_size, both_ways=reader.both_ways).eval()
    for parameter in reader.parameters():  # a learned initial state would else be zero
        torch.nn.init.normal_(parameter, std=0.5)

    def answer(sequences: list[np.ndarray]) -> Tensor:
        with torch.no_grad():
            return pool(*reader(*padded(sequences)))  # type: ignore[no-any-return]

    return answer


def sequences(symbols: int, lengths: tuple[int, ...] = LENGTHS) -> list[np.ndarray]:
    draw = np.random.default_rng(3)
    if symbols:
        return [draw.integers(symbols, size=length) for length in lengths]
    return [draw.normal(size=(length, 4)).astype(np.float32) for length in lengths]


@pytest.mark.parametrize("pooling", get_args(Pooling))
@pytest.mark.parametrize("options", networks(), ids=str)
@pytest.mark.parametrize(("symbols", "embedding"), [(0, 0), (6, 3), (6, 0)])
def test_a_sequence_reads_the_same_alone_and_among_others(
    options: dict[str, Any], pooling: Pooling, symbols: int, embedding: int
) -> None:
    answer, them = make(options, pooling, symbols, embedding), sequences(symbols)
    together = answer(them)
    assert bool(together.isfinite().all())
    for k, one in enumerate(them):
        assert torch.allclose(answer([one])[0], together[k], rtol=0, atol=CLOSE)
    order = [4, 2, 0, 5, 3, 1]
    assert torch.allclose(answer([them[k] for k in order]), together[order], rtol=0, atol=CLOSE)


@pytest.mark.parametrize("pooling", get_args(Pooling))
def test_what_stands_in_the_padding_never_enters(pooling: Pooling) -> None:
    torch.manual_seed(1)
    options = NetworkOptions(hidden_size=(5,), bidirectional=(True,), dropout=0.0, weight_drop=0.0)
    reader = Reader(options, 4).eval()
    pool = Pool(pooling, reader.output_size, both_ways=True)
    x, lengths = padded(sequences(0))
    x.requires_grad_()
    y, alive = reader(x, lengths)
    assert bool((y[~alive] == 0).all())
    pool(y, alive).sum().backward()
    assert x.grad is not None and bool((x.grad[~alive] == 0).all())
    poisoned = x.detach().clone()
    poisoned[~alive] = torch.nan
    assert torch.equal(pool(*reader(poisoned, lengths)), pool(*reader(x, lengths)))


def test_each_pooling_is_its_formula() -> None:
    y = torch.randn(3, 4, 6)
    alive = torch.arange(4) < torch.tensor([[2], [4], [1]])
    pools = {how: Pool(how, 6, both_ways=False) for how in get_args(Pooling)}
    both = Pool("last", 6, both_ways=True)(y, alive)
    for k, length in enumerate((2, 4, 1)):
        steps = y[k, :length]
        assert torch.equal(pools["last"](y, alive)[k], steps[-1])
        assert torch.equal(both[k], torch.cat([steps[-1, :3], steps[0, 3:]]))
        assert torch.equal(pools["max"](y, alive)[k], steps.amax(0))
        assert torch.allclose(pools["mean"](y, alive)[k], steps.mean(0))
        pool = pools["attention"]
        assert pool.asked is not None and pool.turned is not None
        shares = torch.softmax(pool.asked(torch.tanh(pool.turned(steps)))[:, 0], 0)
        assert torch.allclose(pool(y, alive)[k], shares @ steps, atol=1e-6)


@settings(max_examples=80)
@given(
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=120),
    batch_size=st.integers(1, 9),
    seed=st.none() | st.integers(0, 3),
)
def test_buckets_give_every_sequence_once(
    lengths: list[int], batch_size: int, seed: int | None
) -> None:
    sizes = np.array(lengths)
    batches = Buckets(sizes, batch_size, seed=seed)
    given = [batches[k].tolist() for k in range(len(batches))]
    assert sorted(n for batch in given for n in batch) == list(range(len(lengths)))
    assert sorted(map(len, given), reverse=True)[: len(given) - 1] == [batch_size] * (
        len(given) - 1
    )
    again = Buckets(sizes, batch_size, seed=seed)
    assert given == [again[k].tolist() for k in range(len(again))]
    if seed is None:
        assert [lengths[n] for batch in given for n in batch] == sorted(lengths, reverse=True)


def test_buckets_need_little_padding_and_come_in_another_order_each_time() -> None:
    sizes = np.random.default_rng(0).integers(1, 200, size=2000)
    orders = []
    for seed in (1, 2):
        batches = Buckets(sizes, 20, seed=seed)
        parts = [batches[k] for k in range(len(batches))]
        steps = sum(len(part) * int(sizes[part].max()) for part in parts)
        assert steps < 1.1 * sizes.sum()
        orders.append([part.tolist() for part in parts])
    assert orders[0] != orders[1]
