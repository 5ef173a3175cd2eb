"""Waves made otherwise while a network is trained: faster, louder, noisier, in another room, with
pauses around them.

    wave ─ speed ─ pauses ─ room ─ microphone ─ noise ─ gain ─ wave

A wave is float32 [S] in [-1, 1]. All is drawn from the generator that is handed in: whoever goes on
with its state goes on with the same sounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from elman.data.forms.extras import library
from elman.errors import UserError

Wave: TypeAlias = NDArray[np.float32]
Draw: TypeAlias = np.random.Generator

MAINS_HZ: Final = (50.0, 60.0)
HARMONICS: Final = 8  # of a hum
TONES: Final = 6  # knots of a microphone's response
VOICES: Final = 6  # in a babble
QUIET: Final = 200  # samples over which it is seen how loud a part is
SYLLABLES_HZ: Final = 4.0  # how fast a voice grows and fades
SLOWEST, FASTEST = 0.5, 2.0  # speeds that are still the same words


@dataclass(frozen=True)
class Augmentation:
    """What may happen to a wave, and how often. Ranges are drawn from evenly.

    UserError: a range that goes down, a share outside 0 to 1, a speed outside 0.5 to 2.
    """

    speed: tuple[float, float] = (0.9, 1.1)  # Ko et al. 2015, "Audio augmentation for speech …"
    pause_share: float = 0.5  # of waves that get pauses at both ends
    pause_seconds: tuple[float, float] = (0.0, 0.4)  # of each
    gain_db: tuple[float, float] = (-6.0, 6.0)
    tone_share: float = 0.8  # of waves that are heard by another microphone
    tone_db: float = 6.0  # how far its response strays, as a standard deviation
    noise_share: float = 0.5  # of waves that get noise
    snr_db: tuple[float, float] = (5.0, 30.0)
    room_share: float = 0.3  # of waves that are heard in a room
    room_seconds: tuple[float, float] = (0.1, 0.6)  # until an echo has fallen by 60 dB

    def __post_init__(self) -> None:
        for low, high in (
            self.speed, self.pause_seconds, self.gain_db, self.snr_db, self.room_seconds
        ):  # fmt: skip
            if not low <= high:
                raise UserError(f"a range goes from the lower to the higher, got {low:g} {high:g}")
        for share in (self.pause_share, self.tone_share, self.noise_share, self.room_share):
            if not 0 <= share <= 1:
                raise UserError(f"a share goes from 0 to 1, got {share:g}")
        if not SLOWEST <= self.speed[0] <= self.speed[1] <= FASTEST:
            raise UserError(f"a speed goes from {SLOWEST:g} to {FASTEST:g}, got {self.speed}")
        if self.pause_seconds[0] < 0:
            raise UserError(f"a pause lasts no time or some, got {self.pause_seconds[0]:g} s")
        if not self.tone_db >= 0:
            raise UserError(f"a response strays by 0 dB or more, got {self.tone_db:g}")
        if self.room_seconds[0] <= 0:
            raise UserError(f"an echo lasts some time, got {self.room_seconds[0]:g} s")

    def __call__(self, wave: Wave, rate: int, draw: Draw, noises: Sequence[Wave] = ()) -> Wave:
        """Another wave, as long as speed and pauses make it.

        Of `noises`, at the same rate, one is taken as often as one of the five made ones.
        """
        wave = faster(wave, draw.uniform(*self.speed))
        if draw.random() < self.pause_share:
            before, after = (round(rate * draw.uniform(*self.pause_seconds)) for _ in range(2))
            wave = with_pauses(wave, before, after, draw)
        if draw.random() < self.room_share:
            wave = convolved(wave, room(draw, rate, draw.uniform(*self.room_seconds)))
        if draw.random() < self.tone_share:
            wave = coloured(wave, rate, self.tone_db, draw)
        if draw.random() < self.noise_share:
            made = list(MADE.values())
            k = int(draw.integers(len(made) + min(len(noises), len(made))))
            if k < len(made):
                noise = made[k](draw, len(wave), rate)
            else:
                noise = stretch(noises[int(draw.integers(len(noises)))], len(wave), draw)
            wave = with_noise(wave, noise, draw.uniform(*self.snr_db))
        return louder(wave, draw.uniform(*self.gain_db))


def faster(wave: Wave, speed: float) -> Wave:
    """The same in 1 / speed of the time, pitch and all: round(S / speed) samples, at least 1."""
    if speed == 1 or not len(wave):
        return wave
    soxr = library("soxr", "soxr", "speed", "audio")
    samples = max(1, round(len(wave) / speed))
    found: Wave = soxr.resample(wave, speed, 1.0)[:samples]
    return np.pad(found, (0, samples - len(found)))


def with_pauses(wave: Wave, before: int, after: int, draw: Draw) -> Wave:
    """With so many samples before and after it, of white noise as loud as its own quietest parts:
    a network is not to learn where clips were cut."""
    width = min(len(wave), QUIET)
    if not width:
        return np.zeros(before + after, dtype=np.float32)
    frames = wave[: len(wave) // width * width].reshape(-1, width)
    level = math.sqrt(float(np.quantile(np.square(frames, dtype=np.float64).mean(1), 0.05)))
    noise = white(draw, before + after, 0) * np.float32(level)
    return np.concatenate([noise[:before], wave, noise[before:]])


def louder(wave: Wave, gain_db: float) -> Wave:
    """Times 10 ** (gain_db / 20); what then is beyond 1 is not cut off."""
    return wave * np.float32(10 ** (gain_db / 20))


def with_noise(wave: Wave, noise: Wave, snr_db: float) -> Wave:
    """With noise [S] whose mean power is `snr_db` below that of the wave, pauses included.

    Silence stays as it is, and so does a wave to which silence is added.
    """
    if not (against := _power(noise)):
        return wave
    return wave + noise * np.float32(math.sqrt(_power(wave) / against / 10 ** (snr_db / 10)))


def stretch(noise: Wave, samples: int, draw: Draw) -> Wave:
    """[samples] of a noise from anywhere in it, again and again if it is short."""
    if not len(noise):
        return np.zeros(samples, dtype=np.float32)
    start = int(draw.integers(max(1, len(noise) - samples + 1)))
    return np.resize(noise[start:], samples)


def convolved(wave: Wave, response: Wave) -> Wave:
    """The wave as it is heard there: as many samples, the end of the echo left out."""
    if not len(wave):
        return wave
    size = 1 << (len(wave) + len(response) - 1).bit_length()
    both = np.fft.rfft(wave, size) * np.fft.rfft(response, size)
    return np.fft.irfft(both, size)[: len(wave)].astype(np.float32)


def coloured(wave: Wave, rate: int, tone_db: float, draw: Draw) -> Wave:
    """As another microphone hears it: a response that strays smoothly over pitch by `tone_db`, as a
    standard deviation, without changing how loud the whole is."""
    if not len(wave):
        return wave
    knots = draw.normal(0, tone_db, TONES)
    size = 1 << max(1, len(wave)).bit_length()
    hz = np.fft.rfftfreq(size, 1 / rate)
    pitch = np.log1p(hz / 700)  # as the ear has it
    response = np.interp(pitch, np.linspace(0, pitch[-1], TONES), knots)
    heard = np.fft.irfft(np.fft.rfft(wave, size) * 10 ** (response / 20), size)[: len(wave)]
    before, after = _power(wave), _power(heard.astype(np.float32))
    factor = math.sqrt(before / after) if after > 0 else 1.0
    return (heard * factor).astype(np.float32)


def room(draw: Draw, rate: int, seconds: float) -> Wave:
    """The response of a room: the direct sound, 1 at sample 0, then an echo of noise that has
    fallen by 60 dB after `seconds`, and holds 3 to 20 dB less energy than the direct sound."""
    samples = max(2, round(rate * seconds))
    time = np.arange(1, samples) / rate
    echo = draw.standard_normal(samples - 1) * 10 ** (-3 * time / seconds)
    echo[: round(draw.uniform(0.001, 0.01) * rate)] = 0  # the way to the nearest wall and back
    energy = float(np.square(echo).sum())
    if energy:
        echo *= math.sqrt(10 ** (-draw.uniform(3, 20) / 10) / energy)
    return np.concatenate([[1.0], echo]).astype(np.float32)


def white(draw: Draw, samples: int, rate: int) -> Wave:
    """As much power at every frequency."""
    return draw.standard_normal(samples, dtype=np.float32)


def pink(draw: Draw, samples: int, rate: int) -> Wave:
    """As much power in every octave, above 20 Hz: wind, traffic, a fan."""
    return _coloured(draw, samples, rate, 0.5)


def brown(draw: Draw, samples: int, rate: int) -> Wave:
    """Power falls with the square of frequency, above 20 Hz: rumble."""
    return _coloured(draw, samples, rate, 1.0)


def hum(draw: Draw, samples: int, rate: int) -> Wave:
    """The mains and what is left of it in bad wiring: harmonics of 50 or 60 Hz."""
    base = MAINS_HZ[int(draw.integers(2))] * draw.uniform(0.998, 1.002)
    time = np.arange(samples) / rate
    wave = np.zeros(samples)
    for k in range(1, HARMONICS + 1):
        turn, size = draw.uniform(0, 2 * math.pi), draw.uniform(0.1, 1) / k
        if k * base < rate / 2:
            wave += size * np.sin(2 * math.pi * k * base * time + turn)
    return wave.astype(np.float32)


def babble(draw: Draw, samples: int, rate: int) -> Wave:
    """Like many voices far away: dull noises that grow and fade as syllables do. No words."""
    wave = np.zeros(samples, dtype=np.float32)
    knots = math.ceil(samples / rate * SYLLABLES_HZ) + 2
    at = np.arange(samples) / rate * SYLLABLES_HZ
    for _ in range(VOICES):
        loud = np.interp(at, np.arange(knots), np.square(draw.random(knots)))
        wave += pink(draw, samples, rate) * loud.astype(np.float32)
    return wave


MADE: Final[Mapping[str, Callable[[Draw, int, int], Wave]]] = {
    "white": white,
    "pink": pink,
    "brown": brown,
    "hum": hum,
    "babble": babble,
}


def _coloured(draw: Draw, samples: int, rate: int, fall: float) -> Wave:
    """Noise whose amplitude falls with frequency to the power `fall`; below 20 Hz it is flat."""
    size = 1 << max(1, samples).bit_length()  # sizes with large factors take ten times as long
    spectrum = np.fft.rfft(draw.standard_normal(size))
    hz = np.maximum(np.fft.rfftfreq(size, 1 / rate), 20.0)
    return np.fft.irfft(spectrum / hz**fall, size)[:samples].astype(np.float32)


def _power(wave: Wave) -> float:
    return float(np.square(wave, dtype=np.float64).mean()) if len(wave) else 0.0
