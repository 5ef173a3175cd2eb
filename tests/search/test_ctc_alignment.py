"""Laws of symbols that are given: their probability, and their likeliest path."""

import itertools
from collections import defaultdict

import numpy as np
import pytest
import torch
from frames import Symbols, all_paths, by_symbols, collapsed, path_of, some_frames
from torch.nn import functional as F

from elman.errors import UserError
from elman.search.ctc import align, enough, log_probability


@pytest.mark.parametrize("seed", range(12))
def test_the_probability_of_symbols_is_the_sum_over_their_paths(seed: int) -> None:
    draw = np.random.default_rng(seed)
    T, V = int(draw.integers(0, 6)), int(draw.integers(2, 5))
    log_p = some_frames(draw, T, V, holes=0.2 * (seed % 2))
    known = by_symbols(log_p)
    for n in range(T + 2):
        for symbols in itertools.product(range(1, V), repeat=n):
            expected = known.get(symbols, -np.inf)
            assert log_probability(log_p, symbols) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_probability_and_gradient_are_those_of_pytorch(seed: int) -> None:
    draw = np.random.default_rng(seed)
    T, V = int(draw.integers(6, 10)), int(draw.integers(3, 6))
    symbols = draw.integers(1, V, draw.integers(0, 4)).tolist()
    z = torch.tensor(draw.normal(size=(T, V)), requires_grad=True)
    loss = F.ctc_loss(
        z.log_softmax(1)[:, None],
        torch.tensor([symbols], dtype=torch.int64),
        torch.tensor([T]),
        torch.tensor([len(symbols)]),
        reduction="sum",
    )
    (gradient,) = torch.autograd.grad(loss, z)

    def ours(logits: torch.Tensor) -> float:
        return -log_probability(logits.log_softmax(1).numpy(), symbols)

    at = z.detach()
    assert ours(at) == pytest.approx(loss.item(), abs=1e-10)
    differences = torch.zeros_like(at)
    small = 1e-5
    for t, v in itertools.product(range(T), range(V)):
        step = torch.zeros_like(at)
        step[t, v] = small
        differences[t, v] = (ours(at + step) - ours(at - step)) / (2 * small)
    # Central differences err by small^2, rounding by 1e-15 / small.
    assert (differences - gradient).abs().max() < 1e-8


@pytest.mark.parametrize("seed", range(12))
def test_an_alignment_is_the_best_of_all_paths(seed: int) -> None:
    draw = np.random.default_rng(seed)
    T, V = int(draw.integers(1, 7)), int(draw.integers(2, 4))
    log_p = some_frames(draw, T, V, holes=0.2 * (seed % 2))
    best: dict[Symbols, float] = defaultdict(lambda: -np.inf)
    for path, one in all_paths(log_p):
        best[collapsed(path)] = max(best[collapsed(path)], one)
    for symbols, highest in best.items():
        if highest == -np.inf:
            with pytest.raises(UserError, match="impossible"):
                align(log_p, symbols)
            continue
        heard = align(log_p, symbols, first=100)
        assert heard.log_p == pytest.approx(highest)
        heard = align(log_p, symbols)
        path = path_of(heard, T)
        assert collapsed(path) == symbols == heard.symbols
        assert log_p[np.arange(T), path].sum() == pytest.approx(highest)
        for symbol, frame, stop, p in zip(
            symbols, heard.frames, heard.stops, heard.confidences, strict=True
        ):
            assert p == pytest.approx(np.exp(log_p[frame:stop, symbol]).max())


def test_frames_are_counted_from_the_first() -> None:
    log_p = some_frames(np.random.default_rng(0), 9, 4)
    here, there = align(log_p, [2, 2, 1]), align(log_p, [2, 2, 1], first=50)
    assert there.frames == tuple(t + 50 for t in here.frames)
    assert there.stops == tuple(t + 50 for t in here.stops)


def test_frames_are_enough_where_some_path_says_the_symbols() -> None:
    V = 3
    for T in range(6):
        said = {collapsed(path) for path in itertools.product(range(V), repeat=T)}
        log_p = some_frames(np.random.default_rng(T), T, V)
        for n in range(5):
            for symbols in itertools.product(range(1, V), repeat=n):
                assert enough(T, symbols) == (symbols in said)
                if symbols not in said:
                    with pytest.raises(UserError, match=f"^{T} frame"):
                        align(log_p, symbols)


def test_symbols_are_not_blanks_and_not_beyond_the_last() -> None:
    log_p = some_frames(np.random.default_rng(0), 5, 3)
    for symbols in [[0], [3], [1, -1]]:
        with pytest.raises(ValueError, match="from 1 to 2"):
            log_probability(log_p, symbols)
