"""Beeps: short sounds made by code, one kind a folder, to be told apart.

rising/0001.wav   falling/0001.wav   steady/0001.wav   trill/0001.wav   two-tone/0001.wav
noise/0001.wav    clicks/0001.wav    background/0001.wav

A clip is 0.8 to 1.5 s long, at 8 kHz; the sound in it begins anywhere, with noise of 0 to 20 dB
below it in all of the band. A background is that noise alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from elman.data.built_in.made_sound import (
    EDGE,
    LOUDEST,
    NOISE_POWER,
    RATE,
    UNIT,
    Draws,
    Ints,
    archive,
    envelope,
    mixed,
    tone,
    wav,
)

EACH: Final = 60  # clips of a kind
SEED: Final = 1876
SECONDS: Final = (0.8, 1.5)
LASTING: Final = (0.25, 0.7)  # seconds of sound in it
LOWEST_HZ, HIGHEST_HZ = 300, 3000  # of every tone
WIDE: Final = 32  # samples over which the noise of a burst is smoothed, at most


def beeps() -> bytes:
    """The built-in set: 60 clips of each of eight kinds, a zip with a folder a kind."""
    return archive(
        (f"{kind}/{k + 1:04d}.wav", wav(samples))
        for kind in KINDS
        for k, samples in enumerate(made(kind, EACH, SEED))
    )


def made(kind: str, count: int, seed: int) -> Iterator[NDArray[np.int16]]:
    """`count` clips of a kind, each drawn from (seed, kind, its number) alone."""
    for k in range(count):
        draw = Draws(seed, list(KINDS).index(kind), k)
        samples = draw.between(round(SECONDS[0] * RATE), round(SECONDS[1] * RATE))
        lasting = draw.between(round(LASTING[0] * RATE), round(LASTING[1] * RATE))
        begin = draw.between(EDGE, samples - lasting - EDGE)
        sound = KINDS[kind](draw, lasting)
        signal = np.zeros(samples, dtype=np.int64)
        signal[begin : begin + lasting] = sound
        snr_db = draw.between(0, 200) / 10
        # All tones are of size UNIT, of power 1/2; noise and clicks are made as loud as they are.
        amplitude = (2 * NOISE_POWER * 10 ** (snr_db / 10)) ** 0.5
        yield mixed(signal, draw.noise(samples), amplitude, draw.between(LOUDEST // 20, LOUDEST))


def _hertz(draw: Draws, low: int = LOWEST_HZ, high: int = HIGHEST_HZ) -> int:
    """A pitch; every octave is as likely as another one."""
    steps = 12
    ladder = [round(low * (high / low) ** (k / steps)) for k in range(steps + 1)]
    k = draw.between(0, steps - 1)
    return draw.between(ladder[k], ladder[k + 1])


def _sounding(pitch: Ints, draw: Draws) -> Ints:
    """A tone of a pitch in hertz for every sample, with soft ends."""
    whole = envelope(len(pitch), [(EDGE, len(pitch) - EDGE)])
    return tone(1000 * pitch, draw.between(0, 2**32 - 1)) * whole // UNIT


def _steady(draw: Draws, samples: int) -> Ints:
    return _sounding(np.full(samples, _hertz(draw), dtype=np.int64), draw)


def _rising(draw: Draws, samples: int) -> Ints:
    low = _hertz(draw, LOWEST_HZ, HIGHEST_HZ // 2)
    high = low * draw.between(140, 200) // 100
    return _sounding(low + (high - low) * np.arange(samples) // samples, draw)


def _falling(draw: Draws, samples: int) -> Ints:
    high = _hertz(draw, LOWEST_HZ * 2, HIGHEST_HZ)
    low = high * 100 // draw.between(140, 200)
    return _sounding(high - (high - low) * np.arange(samples) // samples, draw)


def _trill(draw: Draws, samples: int) -> Ints:
    """Two pitches in quick turns, 10 to 25 a second."""
    low, turn = _hertz(draw, LOWEST_HZ, HIGHEST_HZ // 2), RATE // draw.between(10, 25)
    high = low * draw.between(112, 150) // 100
    return _sounding(np.where(np.arange(samples) // turn % 2, high, low), draw)


def _two_tone(draw: Draws, samples: int) -> Ints:
    """A pitch, then a lower one, as door bells have them."""
    high = _hertz(draw, LOWEST_HZ * 2, HIGHEST_HZ)
    low = high * 100 // draw.between(120, 180)
    cut = samples * draw.between(40, 60) // 100
    return _sounding(np.where(np.arange(samples) < cut, high, low), draw)


def _noise(draw: Draws, samples: int) -> Ints:
    """A burst of noise, duller than that behind it."""
    wide = draw.between(2, WIDE)
    sums: Ints = np.cumsum(np.concatenate([[0], draw.noise(samples + wide - 1)]))
    smooth: Ints = sums[wide:] - sums[:-wide]  # of power wide * NOISE_POWER
    whole = envelope(samples, [(EDGE, samples - EDGE)])
    loud = round(UNIT / (2 * wide * NOISE_POWER) ** 0.5 * 1000)
    burst: Ints = smooth * loud // 1000 * whole // UNIT
    return burst


def _clicks(draw: Draws, samples: int) -> Ints:
    """Short clicks, 6 to 20 a second."""
    every, length = RATE // draw.between(6, 20), draw.between(2, 6) * EDGE // 5
    out = np.zeros(samples, dtype=np.int64)
    for start in range(0, samples - length, every):
        out[start : start + length] = 2 * UNIT * np.where(np.arange(length) // 4 % 2, -1, 1)
    return out


def _nothing(draw: Draws, samples: int) -> Ints:
    return np.zeros(samples, dtype=np.int64)


KINDS: Final[Mapping[str, Callable[[Draws, int], Ints]]] = {
    "background": _nothing,
    "clicks": _clicks,
    "falling": _falling,
    "noise": _noise,
    "rising": _rising,
    "steady": _steady,
    "trill": _trill,
    "two-tone": _two_tone,
}
