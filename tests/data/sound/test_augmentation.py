"""Augmentation: same generator, same sound; lengths, levels and noise are as asked for."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.sound.augmentation import (
    MADE,
    Augmentation,
    Wave,
    coloured,
    convolved,
    faster,
    louder,
    room,
    stretch,
    with_noise,
    with_pauses,
)
from elman.errors import UserError

RATE, RATES = 8000, (8000, 16_000)
AS_IT_IS = Augmentation(
    speed=(1, 1), pause_share=0, tone_share=0, gain_db=(0, 0), noise_share=0, room_share=0
)


def wave(seed: int, samples: int) -> Wave:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def power(x: Wave) -> float:
    return float(np.square(x.astype(np.float64)).mean())


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), samples=st.integers(0, 9000))
def test_the_same_generator_makes_the_same_wave(seed: int, samples: int) -> None:
    given, noises = wave(seed, samples), [wave(1, 100), wave(2, 20_000)]
    kept = given.copy()
    augmentation = Augmentation(noise_share=0.9, room_share=0.9)
    draw = np.random.default_rng(seed)
    first = augmentation(given, RATE, draw, noises)
    state = draw.bit_generator.state
    second = augmentation(given, RATE, draw, noises)
    again = np.random.default_rng(seed)
    assert np.array_equal(augmentation(given, RATE, again, noises), first)
    assert again.bit_generator.state == state
    assert np.array_equal(augmentation(given, RATE, again, noises), second)
    assert np.array_equal(given, kept), "what came is left as it was"
    assert first.dtype == np.float32 and np.isfinite(first).all()
    most = round(2 * augmentation.pause_seconds[1] * RATE)
    assert round(samples / 1.1) <= len(first) <= round(samples / 0.9) + most
    assert samples < 1000 or not np.array_equal(first, second)
    assert np.array_equal(AS_IT_IS(given, RATE, draw), given)


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), samples=st.integers(2000, 9000), tone_db=st.floats(0, 12))
def test_another_microphone_changes_the_colour_and_not_the_level(
    seed: int, samples: int, tone_db: float
) -> None:
    given = wave(seed, samples)
    heard = coloured(given, RATE, tone_db, np.random.default_rng(seed))
    assert len(heard) == samples and heard.dtype == np.float32
    assert power(heard) == pytest.approx(power(given), rel=1e-3)
    before, after = (np.abs(np.fft.rfft(x)) for x in (given, heard))
    low, high = (
        20 * np.log10(np.linalg.norm(after[part]) / np.linalg.norm(before[part]))
        for part in (slice(samples // 16), slice(samples // 4, None))
    )
    assert max(abs(low), abs(high)) < 5 * tone_db + 1
    if tone_db == 0:
        assert np.allclose(heard, given, atol=1e-5)


@settings(max_examples=30)
@given(
    samples=st.integers(0, 5000), before=st.integers(0, 3000), after=st.integers(0, 3000),
    level=st.floats(1e-4, 0.1),
)  # fmt: skip
def test_pauses_are_as_loud_as_what_is_quiet_in_the_wave(
    samples: int, before: int, after: int, level: float
) -> None:
    given = wave(7, samples) * np.float32(10 * level)
    paused = with_pauses(given, before, after, np.random.default_rng(1))
    assert len(paused) == before + samples + after and paused.dtype == np.float32
    assert np.array_equal(paused[before : before + samples], given)
    ends = np.concatenate([paused[:before], paused[before + samples :]])
    if samples > 1000 and len(ends) > 1000:
        assert 0.5 * level < math.sqrt(power(ends)) < 1.1 * level


@settings(max_examples=40)
@given(samples=st.integers(0, 5000), speed=st.floats(0.5, 2))
def test_speed_makes_it_shorter_by_that_much(samples: int, speed: float) -> None:
    out = faster(wave(samples, samples), speed)
    assert len(out) == (max(1, round(samples / speed)) if samples else 0)
    assert out.dtype == np.float32


def test_speed_raises_the_pitch_and_keeps_the_level() -> None:
    t = np.arange(2 * RATE) / RATE
    sound = np.sin(2 * math.pi * 440 * t).astype(np.float32)
    for speed in (0.8, 1.1, 1.7):
        out = faster(sound, speed)
        spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out))))
        assert abs(spectrum.argmax() * RATE / len(out) - 440 * speed) < 1
        assert abs(power(out) / 0.5 - 1) < 0.01  # the ends


@given(gain=st.floats(-40, 40), seed=st.integers(0, 100))
def test_gain_is_exact(gain: float, seed: int) -> None:
    x = wave(seed, 50)
    assert np.array_equal(louder(x, gain), x * np.float32(10 ** (gain / 20)))
    assert abs(10 * math.log10(power(louder(x, gain)) / power(x)) - gain) < 1e-5


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6), samples=st.integers(100, 9000), snr_db=st.floats(-10, 40),
    kind=st.sampled_from(sorted(MADE)),
)  # fmt: skip
def test_noise_is_as_loud_as_asked_for(seed: int, samples: int, snr_db: float, kind: str) -> None:
    x = wave(seed, samples)
    noise = MADE[kind](np.random.default_rng(seed), samples, RATE)
    assert noise.shape == x.shape and noise.dtype == np.float32
    out = with_noise(x, noise, snr_db)
    added = out.astype(np.float64) - x
    # float32: of the sum's rounding, in a noise of 40 dB less, 1e-3 of a decibel is left.
    assert abs(10 * math.log10(power(x) / np.square(added).mean()) - snr_db) < 1e-2


def test_silence_stays_silent() -> None:
    silence, x = np.zeros(500, dtype=np.float32), wave(3, 500)
    assert not with_noise(silence, x, 10).any()
    assert np.array_equal(with_noise(x, silence, 10), x)


@pytest.mark.parametrize(
    ("kind", "above", "below"),
    [("white", -1, 1), ("pink", 7, 13), ("brown", 15, 25), ("babble", 7, 13), ("hum", 20, 1000)],
)
def test_noises_have_their_colour(kind: str, above: float, below: float) -> None:
    """How many dB a band at 200 Hz has above one at 2,000 Hz."""
    noise = MADE[kind](np.random.default_rng(5), 20 * RATE, RATE)
    spectrum = np.square(np.abs(np.fft.rfft(noise)))
    hz = np.fft.rfftfreq(len(noise), 1 / RATE)
    low, high = (spectrum[(hz > f * 0.7) & (hz < f * 1.4)].mean() for f in (200, 2000))
    assert above < 10 * math.log10(low / (high + 1e-12)) < below


@settings(max_examples=30)
@given(
    seed=st.integers(0, 10**6), seconds=st.floats(0.05, 1.0), rate=st.sampled_from([8000, 16000])
)
def test_a_room_is_heard_directly_first(seed: int, seconds: float, rate: int) -> None:
    response = room(np.random.default_rng(seed), rate, seconds)
    assert len(response) == round(rate * seconds)
    energy = np.square(response.astype(np.float64))
    assert energy[0] == 1 and energy[1:].sum() <= 10**-0.3 + 1e-6
    assert energy[1:].max() < 1
    assert not energy[1 : int(0.001 * rate)].any()
    half = len(energy) // 2
    assert energy[half:].sum() < 0.01 * energy.sum(), "it fades"
    x = wave(seed, 3000)
    heard = convolved(x, response)
    assert heard.shape == x.shape and heard.dtype == np.float32
    assert np.abs(heard - np.convolve(x, response)[:3000]).max() < 1e-5
    click = np.zeros(3000, dtype=np.float32)
    click[7] = 1
    assert abs(convolved(click, response)[7] - 1) < 1e-5, "no delay"


@settings(max_examples=50)
@given(seed=st.integers(0, 10**6), length=st.integers(0, 60), samples=st.integers(0, 100))
def test_a_stretch_of_noise_is_from_it(seed: int, length: int, samples: int) -> None:
    noise = np.arange(1, length + 1, dtype=np.float32)
    out = stretch(noise, samples, np.random.default_rng(seed))
    assert out.shape == (samples,)
    if not length:
        assert not out.any()
        return
    steps = np.diff(out)
    assert ((steps == 1) | (steps <= 0)).all() and set(out) <= set(noise)
    assert samples > length or (steps == 1).all(), "in one piece where it is long enough"


def test_noises_of_ones_own_are_heard() -> None:
    own = [np.full(5, 7.0, dtype=np.float32)]
    augmentation = replace(AS_IT_IS, noise_share=1.0, snr_db=(0, 0))
    x, draw = np.where(np.arange(800) % 2, 1, -1).astype(np.float32), np.random.default_rng(1)
    flat = [np.ptp(augmentation(x, RATE, draw, own) - x) < 1e-6 for _ in range(200)]
    assert 10 < sum(flat) < 70  # one of six


@pytest.mark.parametrize(
    "changed",
    [
        {"speed": (1.1, 0.9)}, {"speed": (0.1, 1)}, {"speed": (1, 9)}, {"gain_db": (1, 0)},
        {"noise_share": 1.5}, {"tone_db": -1}, {"tone_share": 3}, {"pause_share": 2},
        {"pause_seconds": (-1, 1)},
         {"room_share": -0.1}, {"snr_db": (3, 1)}, {"room_seconds": (0, 1)},
        {"snr_db": (math.nan, 1)}, {"room_share": math.nan},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(UserError):
        replace(AS_IT_IS, **changed)  # type: ignore[arg-type]
