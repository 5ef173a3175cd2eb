"""Batches: what should come once comes once, y is x moved by one, and any window can be fetched."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from elman.data.batching import Buckets, Scoring, Streams, Windows, fit, permuted
from elman.errors import UserError


class Places:
    """Tokens that are their own places in the file, so that a batch tells where it was read."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def read(self, start: int, count: int) -> NDArray[np.int64]:
        assert start >= 0
        return np.arange(start, min(start + count, self.count))


sizes = st.integers(1, 9)


@st.composite
def ranges(draw: st.DrawFn, least: int = 2) -> tuple[Places, int, int]:
    start, length, rest = draw(st.integers(0, 20)), draw(st.integers(least, 120)), draw(sizes)
    return Places(start + length + rest - 1), start, start + length


@settings(max_examples=150)
@given(where=ranges(), batch_size=sizes, steps=sizes, offset=st.integers(0, 30))
def test_streams_cover_the_text_once_and_go_on_where_they_ended(
    where: tuple[Places, int, int], batch_size: int, steps: int, offset: int
) -> None:
    ids, start, stop = where
    batch_size, steps = fit(stop - start, batch_size, steps)
    streams = Streams(ids, start, stop, batch_size, steps, offset=offset)
    assert len(streams) >= 1
    for x, y in streams:
        assert x.shape == y.shape == (steps, batch_size)
        assert x.dtype == y.dtype == torch.int64
        assert torch.equal(y, x + 1)
    x = torch.cat([x for x, _ in streams])  # [windows * T, B]
    assert torch.equal(x, x[0] + torch.arange(len(x))[:, None])
    places = x.T.flatten()
    assert len(set(places.tolist())) == len(places)
    assert start <= int(places.min()) and int(places.max()) < stop - 1
    length = (stop - start - 1) // batch_size
    assert torch.equal(x[0].diff(), torch.full((batch_size - 1,), length))
    moved = int(x[0, 0]) - start
    assert moved == offset % min(steps, length - steps + 1)
    assert 0 <= length - moved - len(x) < steps, "only a short last window is dropped"


@settings(max_examples=150)
@given(where=ranges(), batch_size=sizes, steps=sizes, warmup=st.integers(0, 25))
def test_scoring_counts_every_token_once_after_its_warm_up(
    where: tuple[Places, int, int], batch_size: int, steps: int, warmup: int
) -> None:
    ids, start, stop = where
    scoring = Scoring(ids, start, stop, batch_size, steps, warmup=warmup)
    batches = list(scoring)
    assert [len(x) for x, _, _ in batches[:-1]] == [steps] * (len(batches) - 1)
    assert all(x.shape == y.shape == scored.shape for x, y, scored in batches)
    x, y, scored = (torch.cat([batch[i] for batch in batches]) for i in range(3))
    assert sorted(y[scored].tolist()) == list(range(start + 1, stop))
    assert torch.equal(y[scored], x[scored] + 1)
    assert scored.any(0).all(), "no stream is idle"
    for b in range(x.shape[1]):
        first = int(scored[:, b].nonzero()[0])
        assert first == min(warmup, int(y[first, b]) - 1), "warm-up as long as the file allows"
        read = x[: int(scored[:, b].nonzero()[-1]) + 1, b]
        assert torch.equal(read, read[0] + torch.arange(len(read)))


@settings(max_examples=150)
@given(
    where=ranges(least=11), batch_size=sizes, steps=sizes, seed=st.none() | st.integers(0, 1 << 40)
)
def test_windows_predict_every_token_once(
    where: tuple[Places, int, int], batch_size: int, steps: int, seed: int | None
) -> None:
    ids, start, stop = where
    windows = Windows(ids, start, stop, batch_size, steps, seed=seed)
    predicted = []
    for k, (x, y) in enumerate(windows):
        assert x.shape == (steps, len(y))
        assert len(y) == batch_size or k == len(windows) - 1
        assert torch.equal(x, y - steps + torch.arange(steps)[:, None])
        predicted += y.tolist()
    expected = list(range(start + steps, stop))
    assert (predicted if seed is None else sorted(predicted)) == expected


@settings(max_examples=100)
@given(count=st.integers(1, 3000), seed=st.integers(0, 1 << 40))
def test_a_shuffle_is_a_bijection_that_can_be_asked_anywhere(count: int, seed: int) -> None:
    everywhere = permuted(np.arange(count), count, seed)
    assert sorted(everywhere.tolist()) == list(range(count))
    place = seed % count
    assert permuted(np.array([place]), count, seed).tolist() == [everywhere[place]]


def test_shuffles_are_mixed_and_differ_between_seeds() -> None:
    count = 100_000
    first, second = (permuted(np.arange(count), count, seed) for seed in (1, 2))
    # The correlation of a random shuffle is about 1 / sqrt(count) = 0.003.
    for a, b in ((first, np.arange(count)), (first[:-1], first[1:]), (first, second)):
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.02
    # Steps from one place to the next differ; an affine shuffle has at most two of them.
    assert len(np.unique(np.diff(first))) > count / 2


@settings(max_examples=100)
@given(tokens=st.integers(2, 500), batch_size=sizes, steps=sizes)
def test_fit_keeps_what_fits_and_shrinks_the_batch_first(
    tokens: int, batch_size: int, steps: int
) -> None:
    batch, length = fit(tokens, batch_size, steps)
    assert 1 <= batch <= batch_size and 1 <= length <= steps
    assert batch * length <= tokens - 1
    assert batch == batch_size or (batch + 1) * length > tokens - 1
    assert length == steps or (batch == 1 and length == tokens - 1)


def test_too_little_text_is_told() -> None:
    for made in (
        lambda: fit(1, 2, 3),
        lambda: Streams(Places(9), 4, 5, 1, 1),
        lambda: Scoring(Places(9), 4, 5, 1, 1),
        lambda: Windows(Places(9), 4, 5, 1, 1, seed=0),
    ):
        with pytest.raises(UserError, match="too little text"):
            made()
    with pytest.raises(UserError, match="do not fill 3 streams of 4 steps"):
        Streams(Places(12), 0, 12, 3, 4)
    with pytest.raises(UserError, match="no window of 12 steps"):
        Windows(Places(12), 0, 12, 3, 12, seed=0)


def test_there_is_no_window_outside() -> None:
    for batches in (
        Streams(Places(20), 0, 20, 2, 3),
        Scoring(Places(20), 0, 20, 2, 3),
        Windows(Places(20), 0, 20, 2, 3, seed=1),
    ):
        for k in (-1, len(batches)):
            with pytest.raises(IndexError):
                batches[k]


def lengths_of(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 40, count)


@settings(max_examples=60)
@given(count=st.integers(1, 400), batch_size=st.integers(1, 9), seed=st.integers(0, 1 << 40))
def test_a_bucket_holds_each_sequence_once_beside_those_of_about_its_length(
    count: int, batch_size: int, seed: int
) -> None:
    lengths = lengths_of(count, seed)
    buckets = Buckets(lengths, batch_size, seed=seed)
    batches = [buckets[k] for k in range(len(buckets))]
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))
    assert sum(len(batch) < batch_size for batch in batches) <= 1
    for batch in batches:
        assert (np.diff(lengths[batch]) <= 0).all()  # packed without being sorted again
    if count <= batch_size * Buckets.STRETCH:  # one stretch: no batch reaches into another
        spans = sorted((int(lengths[batch].min()), int(lengths[batch].max())) for batch in batches)
        assert all(high <= low for (_, high), (low, _) in itertools.pairwise(spans))


@given(
    count=st.integers(1, 80), batch_size=sizes, seed=st.none() | st.integers(0, 9),
    most=st.integers(1, 30),
)  # fmt: skip
def test_buckets_by_tokens_are_as_full_as_they_may_be(
    count: int, batch_size: int, seed: int | None, most: int
) -> None:
    lengths, tokens = (
        lengths_of(count, 3),
        np.random.default_rng(count).integers(1, most + 1, count),
    )
    buckets = Buckets(lengths, batch_size, seed=seed, tokens=tokens)
    batches = [buckets[k] for k in range(len(buckets))]
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))
    full = batch_size * tokens.mean()
    assert all(tokens[batch].sum() <= full or len(batch) == 1 for batch in batches)
    if seed is None:  # the next one would not have fitted
        for batch, after in itertools.pairwise(batches):
            assert tokens[batch].sum() + tokens[after[0]] > full


def test_buckets_are_drawn_anew_by_each_seed_and_alike_by_one() -> None:
    lengths = lengths_of(300, 1)

    def drawn(seed: int | None) -> list[list[int]]:
        buckets = Buckets(lengths, 4, seed=seed)
        return [buckets[k].tolist() for k in range(len(buckets))]

    assert drawn(1) == drawn(1) != drawn(2)
    # Neither the neighbours of a sequence nor the order of the batches stay as they were.
    assert {tuple(sorted(b)) for b in drawn(1)} != {tuple(sorted(b)) for b in drawn(2)}
    longest = [max(int(lengths[k]) for k in batch) for batch in drawn(1)]
    assert longest != sorted(longest, reverse=True)
    whole = [k for batch in drawn(None) for k in batch]
    assert whole == sorted(range(300), key=lambda k: -lengths[k])
    for k in (-1, 75):
        with pytest.raises(IndexError):
            Buckets(lengths, 4, seed=1)[k]
