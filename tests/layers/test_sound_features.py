"""Sound as features: chunks equal the whole to the bit, padding changes nothing, no empty band."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.errors import UserError
from elman.layers.sound import (
    BLOCK,
    FLOOR,
    LOWEST_HZ,
    LogMel,
    Moments,
    Normaliser,
    SoundState,
    bands,
    hertz,
    mel,
    spec_augment,
)

RATES = (8000, 11025, 16000)


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) / 8


@settings(max_examples=30)
@given(
    seed=st.integers(0, 10**6), samples=st.integers(0, 9000), rate=st.sampled_from(RATES),
    mels=st.integers(1, 50), deltas=st.booleans(), chunks=st.lists(st.integers(0, 900)),
)  # fmt: skip
def test_chunks_of_any_length_give_the_frames_of_the_whole(
    seed: int, samples: int, rate: int, mels: int, deltas: bool, chunks: list[int]
) -> None:
    layer, wave = LogMel(rate, mels, deltas=deltas), noise(seed, samples)
    whole, lengths = layer(wave[None], torch.tensor([samples]))
    parts, at, state = [], 0, None
    for chunk in [*chunks, samples]:
        frames, state = layer.listen(wave[at : at + chunk], state)
        parts.append(frames)
        at += chunk
        assert len(state.samples) < len(layer.window) + layer.hop, "memory is bounded"
        assert state.recent is None or len(state.recent) <= 4
    parts.append(layer.end(state or SoundState()))
    assert torch.equal(torch.cat(parts), whole[0])
    assert whole.shape == (1, int(lengths), layer.output_size)


def test_frames_are_given_as_soon_as_their_delay_is_over() -> None:
    for deltas in (False, True):
        layer = LogMel(8000, deltas=deltas)
        needed = round(layer.delay_seconds * layer.rate)
        frames, state = layer.listen(noise(1, needed - 1))
        assert not len(frames)
        frames, state = layer.listen(noise(2, 1), state)
        assert len(frames) == 1
        frames, _ = layer.listen(noise(3, 10 * layer.hop), state)
        assert len(frames) == 10


def test_a_long_stream_equals_the_whole_after_many_blocks() -> None:
    layer = LogMel(8000, deltas=True)
    wave = noise(5, layer.hop * BLOCK * 5 + 123)
    whole, _ = layer(wave[None], torch.tensor([len(wave)]))
    parts, state = [], None
    for chunk in torch.split(wave, 997):
        frames, state = layer.listen(chunk, state)
        parts.append(frames)
    assert state is not None
    assert torch.equal(torch.cat([*parts, layer.end(state)]), whole[0])


@settings(max_examples=20)
@given(
    seed=st.integers(0, 10**6), lengths=st.lists(st.integers(0, 12_000), min_size=1, max_size=5),
    deltas=st.booleans(), by_clip=st.booleans(),
)  # fmt: skip
def test_a_batch_is_its_clips_one_by_one(
    seed: int, lengths: list[int], deltas: bool, by_clip: bool
) -> None:
    layer = LogMel(8000, 23, deltas=deltas)
    norm = Normaliser(layer.output_size, by_clip=by_clip)
    waves, sizes = noise(seed, len(lengths), max(lengths)), torch.tensor(lengths)
    padded, frames = layer(waves, sizes)
    normal = norm(padded, frames)
    for k, n in enumerate(lengths):
        alone, one = layer(waves[k : k + 1, :n], sizes[k : k + 1])
        assert int(one) == int(frames[k]) == max(1, (n - 200) // 80 + 1)
        assert torch.equal(padded[k, : int(one)], alone[0])
        assert torch.equal(normal[k, : int(one)], norm(alone, one)[0])
        assert not padded[k, int(one) :].any()
        assert not normal[k, int(one) :].any()


def test_a_frame_never_looks_beyond_its_window() -> None:
    layer = LogMel(16000, 40)
    wave = noise(7, 16000)
    whole, _ = layer(wave[None], torch.tensor([16000]))
    for t in (0, 1, 63, 64, 90):
        changed = wave.clone()
        changed[t * layer.hop + len(layer.window) :] += 1
        changed[: t * layer.hop] += 1
        other, _ = layer(changed[None], torch.tensor([16000]))
        assert torch.equal(other[0, t], whole[0, t])
        assert (other[0] != whole[0]).any(1).sum() > 90


@pytest.mark.parametrize("rate", [8000, 16000, 22050])
@pytest.mark.parametrize("mels", [20, 40, 80])
def test_a_tone_is_loudest_in_its_band(rate: int, mels: int) -> None:
    layer = LogMel(rate, mels)
    step = (mel(rate / 2) - mel(LOWEST_HZ)) / (mels + 1)
    for band in range(0, mels, 3):
        hz = hertz(mel(LOWEST_HZ) + (band + 1) * step)  # the top of its triangle
        wave = 0.5 * torch.sin(2 * math.pi * hz / rate * torch.arange(rate // 4))
        x, _ = layer(wave[None], torch.tensor([len(wave)]))
        # Below 200 Hz bands are narrower than what a window of 25 ms tells apart.
        off = 0 if hz > 600 else 2
        assert (x[0].argmax(1) - band).abs().max() <= off


def test_louder_is_a_constant_more() -> None:
    layer, wave, n = LogMel(16000, 40), noise(11, 9000) / 100, torch.tensor([9000])
    x, _ = layer(wave[None], n)
    for factor in (0.25, 300.0):
        y, _ = layer(factor * wave[None], n)
        # Rounding: some units of the last place of numbers below 16.
        assert (y - x - 2 * math.log(factor)).abs().max() < 1e-5


def test_digital_silence_is_the_floor() -> None:
    x, n = LogMel(8000, 40, deltas=True)(torch.zeros(1, 5000), torch.tensor([5000]))
    assert torch.equal(x[..., :40], torch.full_like(x[..., :40], math.log(FLOOR)))
    assert not x[..., 40:].any()
    assert torch.isfinite(Normaliser(80, by_clip=True)(x, n)).all()


@pytest.mark.parametrize("rate", [2000, 8000, 16000, 44100])
@pytest.mark.parametrize("mels", [1, 13, 40, 64, 80, 128])
def test_every_band_hears_something_and_the_bands_cover_all(rate: int, mels: int) -> None:
    layer = LogMel(rate, mels)
    weights = layer.bands
    assert weights.shape == (layer.transform // 2 + 1, mels)
    assert layer.transform >= len(layer.window)
    assert (weights.amax(0) > 0.3).all(), "no band is empty, or nearly"
    assert weights.min() >= 0 and weights.max() <= 1
    step = (mel(rate / 2) - mel(LOWEST_HZ)) / (mels + 1)
    low, high = hertz(mel(LOWEST_HZ) + step), hertz(mel(rate / 2) - step)
    hz = torch.arange(len(weights)) * rate / layer.transform
    inner = weights[(hz >= low) & (hz <= high)]
    # Two neighbours share what lies between them.
    assert (inner.sum(1) - 1).abs().max() < 1e-5 if len(inner) else mels == 1


def test_the_matrix_is_that_of_htk() -> None:
    """HTK's rule written once more: the share of the rising side for each frequency, which the
    lower band loses and the upper one gains (HTK Book 5.4; `InitFBank` in HSigP.c)."""
    rate, transform, mels = 16000, 512, 26
    low, high = 1127 * math.log(1 + 20 / 700), 1127 * math.log(1 + 8000 / 700)
    centres = [low + k * (high - low) / (mels + 1) for k in range(mels + 2)]
    expected = np.zeros((transform // 2 + 1, mels))
    for k in range(transform // 2 + 1):
        place = 1127 * math.log(1 + k * rate / transform / 700)
        for m in range(mels + 1):
            if centres[m] <= place < centres[m + 1]:
                falling = (centres[m + 1] - place) / (centres[m + 1] - centres[m])
                if m > 0:
                    expected[k, m - 1] = falling
                if m < mels:
                    expected[k, m] = 1 - falling
    # 2595 / ln 10 is 1126.99, which the Book rounds to 1127.
    assert np.abs(bands(rate, transform, mels).numpy() - expected).max() < 1e-5


def test_slopes_are_those_of_straight_lines() -> None:
    layer = LogMel(8000, 40, deltas=True)
    # A tone whose level rises by a constant factor: log energy is a straight line over time.
    t = torch.arange(16000, dtype=torch.float64) / 8000
    wave = (1e-3 * torch.exp(2 * t) * torch.sin(2 * math.pi * 1000 * t)).float()
    x, _ = layer(wave[None], torch.tensor([16000]))
    loud = int(x[0, 50, :40].argmax())
    slopes = x[0, 2:-2, 40 + loud]
    assert (slopes - 2 * 2 * 0.01).abs().max() < 1e-3  # energy grows with the square, by frame
    first = (x[0, 1, loud] - x[0, 0, loud]) + 2 * (x[0, 2, loud] - x[0, 0, loud])
    assert abs(float(x[0, 0, 40 + loud] - first / 10)) < 1e-5, "the ends go on as they are"


@pytest.mark.parametrize(
    ("rate", "mels", "window", "hop"),
    [
        (0, 40, 0.025, 0.01), (8000, 0, 0.025, 0.01), (8000, 40, 0.0, 0.01),
        (8000, 40, 0.025, 0.0), (8000, 40, 0.01, 0.025), (8000, 40, math.nan, 0.01),
        (8000, 40, math.inf, 0.01), (40, 4, 0.1, 0.1), (8000, 100_000, 0.025, 0.01),
        (-8000, 40, 0.025, 0.01),
    ],
)  # fmt: skip
def test_frames_that_cannot_be_are_refused(rate: int, mels: int, window: float, hop: float) -> None:
    with pytest.raises(UserError):
        LogMel(rate, mels, window, hop)


def test_nothing_is_saved_but_mean_and_spread() -> None:
    assert not LogMel(8000).state_dict()
    assert not list(LogMel(8000).parameters())
    assert set(Normaliser(3).state_dict()) == {"mean", "spread"}


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), sizes=st.lists(st.integers(1, 50), min_size=2, max_size=5))
def test_moments_of_parts_are_those_of_the_whole(seed: int, sizes: list[int]) -> None:
    x = noise(seed, sum(sizes), 7) * torch.arange(1, 8) - 11
    parts = [Moments.of(part) for part in torch.split(x, sizes)]
    total = parts[0]
    for part in parts[1:]:
        total += part
    norm = Normaliser(7)
    norm.set(total)
    y = norm(x[None], torch.tensor([len(x)]))[0]
    wide = x.std(0, correction=0) > 0.05  # of others float32 around -11 tells too little
    assert (y.mean(0).abs()[wide] < 1e-4).all()
    assert ((y.std(0, correction=0) - 1).abs()[wide] < 1e-4).all()


def test_given_moments_are_taken_for_each_row() -> None:
    x, n = noise(3, 2, 9, 4), torch.tensor([9, 9])
    clip = Normaliser(4, by_clip=True)
    own = [Moments.of(row) for row in x]
    assert torch.equal(Normaliser(4)(x, n, own), clip(x, n))
    assert torch.equal(clip(x, n, own[::-1])[0], Normaliser(4)(x[:1], n[:1], own[1:])[0])


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6), lengths=st.lists(st.integers(1, 90), min_size=1, max_size=4),
    mels=st.integers(1, 40), masks=st.integers(0, 9), share=st.floats(0, 1),
)  # fmt: skip
def test_masks_stay_within_bounds_and_leave_half(
    seed: int, lengths: list[int], mels: int, masks: int, share: float
) -> None:
    sizes, x = torch.tensor(lengths), torch.ones(len(lengths), max(lengths), mels)

    def masked(bands: int, times: int) -> torch.Tensor:
        return spec_augment(
            x, sizes, np.random.default_rng(seed), time_masks=times, longest=share,
            band_masks=bands, widest=share,
        )  # fmt: skip

    y = masked(masks, masks)
    assert x.all(), "what came is left as it was"
    assert torch.equal(y, masked(masks, masks))
    for row, n in zip(y, lengths, strict=True):
        assert row[n:].all(), "no mask beyond the end"
        clip = row[:n] == 0
        times, tones = clip.all(1), clip.all(0)
        assert torch.equal(clip, times[:, None] | tones), "whole frames, whole bands"
        assert times.sum() <= min(n // 2, masks * int(share * n))
        assert tones.sum() <= min(mels // 2, masks * int(share * mels))
        assert (~clip).any()
    assert torch.equal(masked(0, 0), x)


def test_masks_do_fall() -> None:
    x, n = torch.ones(20, 100, 40), torch.full((20,), 100)
    y = spec_augment(x, n, np.random.default_rng(1))
    assert 0.1 < float((y == 0).float().mean()) < 0.5
    with pytest.raises(UserError, match="shares from 0 to 1"):
        spec_augment(x, n, np.random.default_rng(1), longest=1.5)
