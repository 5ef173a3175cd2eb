"""Laws of the likeliest path."""

import json

import numpy as np
import pytest
from frames import clear_frames, collapsed, path_of, pieces, some_frames

from elman.search.ctc import Greedy, greedy, greedy_batch, joined


@pytest.mark.parametrize("seed", range(20))
def test_greedy_is_the_best_path_collapsed(seed: int) -> None:
    draw = np.random.default_rng(seed)
    T, V = int(draw.integers(0, 12)), int(draw.integers(2, 6))
    log_p = some_frames(draw, T, V)
    best = tuple(log_p.argmax(1).tolist())
    heard = greedy(log_p)
    assert heard.symbols == collapsed(best)
    assert path_of(heard, T) == best
    assert heard.log_p == pytest.approx(log_p.max(1).sum())
    for symbol, frame, stop, p in zip(
        heard.symbols, heard.frames, heard.stops, heard.confidences, strict=True
    ):
        assert p == pytest.approx(np.exp(log_p[frame:stop, symbol]).max())


@pytest.mark.parametrize("seed", range(10))
def test_each_of_a_batch_is_as_alone_whatever_the_padding_holds(seed: int) -> None:
    draw = np.random.default_rng(seed)
    B, T, V = (int(n) for n in draw.integers((1, 1, 2), (6, 15, 5)))
    log_p = some_frames(draw, B * T, V).reshape(B, T, V).astype(np.float32)
    lengths = draw.integers(0, T + 1, B).tolist()
    alone = [greedy(one[:n]) for one, n in zip(log_p, lengths, strict=True)]
    for one, n in zip(log_p, lengths, strict=True):
        one[n:] = draw.choice([np.nan, -np.inf, *range(9)], (T - n, V))
    assert greedy_batch(log_p, lengths) == alone


@pytest.mark.parametrize("seed", range(20))
def test_a_stream_cut_anywhere_and_saved_anywhere_hears_the_same(seed: int) -> None:
    draw = np.random.default_rng(seed)
    log_p = (clear_frames if seed % 2 else some_frames)(draw, 40, 4)
    hearing = Greedy()
    heard = hearing.take()
    for piece in pieces(draw, log_p):
        hearing.feed(piece)
        if draw.random() < 0.5:
            heard = joined(heard, hearing.take())
        if draw.random() < 0.5:
            saved = json.loads(json.dumps(hearing.state()))
            hearing = Greedy()
            hearing.resume(saved)
    heard = joined(heard, hearing.take())
    assert joined(heard, hearing.best()[0]) == greedy(log_p)


def test_what_is_no_log_probability_is_refused() -> None:
    for wrong in [np.full((2, 3), np.nan), np.ones((2, 3)), np.zeros(3)]:
        with pytest.raises(ValueError, match="log"):
            greedy(wrong)
    with pytest.raises(ValueError, match="lengths"):
        greedy_batch(np.zeros((1, 2, 3)), [3])
