"""Recordings for tests: written by soundfile, or byte by byte where it would not."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

# Every sample comes back as it was written, but for rounding.
LOSSLESS = (
    ("WAV", "PCM_U8"), ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_32"), ("WAV", "FLOAT"),
    ("WAV", "DOUBLE"), ("WAVEX", "PCM_16"), ("RF64", "PCM_16"), ("FLAC", "PCM_16"),
    ("FLAC", "PCM_24"), ("AIFF", "PCM_16"), ("AU", "PCM_16"), ("NIST", "PCM_16"),
)  # fmt: skip
LOSSY = (
    ("WAV", "ALAW"), ("WAV", "ULAW"), ("WAV", "IMA_ADPCM"), ("WAV", "MS_ADPCM"), ("WAV", "GSM610"),
    ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"),
)  # fmt: skip
MONO = {"IMA_ADPCM", "MS_ADPCM", "GSM610"}
RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000)
OPUS_RATES = (8_000, 16_000, 24_000, 48_000)


@dataclass(frozen=True)
class Written:
    """A file, what was written into it [T, C], and its rate in Hz."""

    path: Path
    frames: NDArray[np.float64]
    rate: int
    form: str
    subtype: str


def seeded(seed: int, *names: str) -> np.random.Generator:
    """A generator of its own for each case of a test."""
    return np.random.default_rng([seed, *"".join(names).encode()])


def noise(draw: np.random.Generator, length: int, channels: int) -> NDArray[np.float64]:
    """Soft noise with steps in it, [T, C]: whatever is shifted by one sample is not alike."""
    return draw.uniform(-0.4, 0.4, (length, channels))


def write(
    folder: Path, draw: np.random.Generator, form: str, subtype: str, least: int = 1,
    most: int = 30_000,
) -> Written:  # fmt: skip
    """A recording of random length, rate and number of channels."""
    rate = int(draw.choice(OPUS_RATES if subtype == "OPUS" else RATES))
    channels = 1 if subtype in MONO else int(draw.integers(1, 3 if form == "MP3" else 5))
    frames = noise(draw, int(draw.integers(least, most)), channels)
    path = folder / f"{form}{draw.integers(10**9)}.{form.lower()}"
    soundfile.write(path, frames, rate, format=form, subtype=subtype)
    return Written(path, frames, rate, form, subtype)


def packed(frames: NDArray[np.float64], rate: int, form: str, subtype: str) -> bytes:
    """The bytes of a recording."""
    out = io.BytesIO()
    soundfile.write(out, frames, rate, format=form, subtype=subtype)
    return out.getvalue()


def wav_bytes(
    data: bytes, *, code: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16,
    size: int | None = None, outer: int | None = None, before: bytes = b"",
) -> bytes:  # fmt: skip
    """A WAV whose header tells what it is told to."""
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", code, channels, rate, rate * frame % 2**32, frame, bits)
    told = len(data) if size is None else size
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + before
    body += b"data" + struct.pack("<I", told) + data
    return b"RIFF" + struct.pack("<I", len(body) if outer is None else outer) + body
