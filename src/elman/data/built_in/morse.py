"""Morse code as sound made by code, with its text: letters, digits and ? / . , = as one sends them.

metadata.csv
    file_name,text,wpm,snr_db,pitch_hz
    clips/0001.wav,CQ DE G4XYZ K,18.4,3.5,612

Speed is told in words a minute of 50 dots, such as PARIS: a dot is 1.2 / wpm seconds, a dash three
dots, and so is the gap between letters; within a letter it is one dot, between words seven. Signal
to noise is the power of the tone while the key is fully down, its mean where it fades, over that of
the noise in a band of 500 Hz. The noise is white: in all of 4 kHz it has 8 times as much.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from elman.data.built_in.made_sound import (
    EDGE,
    LOUDEST,
    NOISE_POWER,
    RATE,
    STEP,
    UNIT,
    Draws,
    Ints,
    archive,
    envelope,
    mixed,
    tone,
    wav,
)
from elman.data.built_in.morse_texts import phrase

Range: TypeAlias = tuple[float, float]

CODE: Final = {
    "A": ".-", "B": "-...", "C": "-.-.", "D": "-..", "E": ".", "F": "..-.", "G": "--.",
    "H": "....", "I": "..", "J": ".---", "K": "-.-", "L": ".-..", "M": "--", "N": "-.",
    "O": "---", "P": ".--.", "Q": "--.-", "R": ".-.", "S": "...", "T": "-", "U": "..-",
    "V": "...-", "W": ".--", "X": "-..-", "Y": "-.--", "Z": "--..",
    "0": "-----", "1": ".----", "2": "..---", "3": "...--", "4": "....-", "5": ".....",
    "6": "-....", "7": "--...", "8": "---..", "9": "----.",
    "?": "..--..", "/": "-..-.", ".": ".-.-.-", ",": "--..--", "=": "-...-",
}  # fmt: skip
DOT_SECONDS: Final = 1.2  # at one word a minute
BAND_HZ: Final = 500  # in which noise is measured
CLIPS: Final = 2_200
SEED: Final = 1844
SPEEDS: Final = (5.0, 30.0)  # words a minute
SNR_DB: Final = (-6.0, 20.0)
PITCHES_HZ: Final = (400, 1000)
SECONDS: Final = (3, 12)


@dataclass(frozen=True)
class Made:
    """A clip: what was sent, how, and its samples at 8 kHz."""

    text: str
    wpm: float  # of letters; with Farnsworth's spacing words come more slowly
    snr_db: float
    pitch_hz: int
    samples: NDArray[np.int16]


def morse() -> bytes:
    """The built-in set: 2,200 clips of 3 to 12 seconds, a zip of WAV files and a table."""
    return packed(made(CLIPS, SEED))


def packed(clips: Iterable[Made]) -> bytes:
    """Clips as a zip: the recordings, made while it is written, and `metadata.csv` at its end."""
    rows: list[tuple[str, ...]] = []

    def members() -> Iterator[tuple[str, bytes]]:
        for k, clip in enumerate(clips):
            name = f"clips/{k + 1:04d}.wav"
            rows.append(row(name, clip))
            yield name, wav(clip.samples)
        yield "metadata.csv", table(rows)

    return archive(members())


def row(name: str, clip: Made) -> tuple[str, ...]:
    """A clip's row of the table."""
    return name, clip.text, f"{clip.wpm:.1f}", f"{clip.snr_db:.1f}", str(clip.pitch_hz)


def table(rows: list[tuple[str, ...]]) -> bytes:
    """The table, with its header."""
    held = io.StringIO()
    writer = csv.writer(held, lineterminator="\n")
    writer.writerow(("file_name", "text", "wpm", "snr_db", "pitch_hz"))
    writer.writerows(rows)
    return held.getvalue().encode()


def made(count: int, seed: int, *, snr_db: Range = SNR_DB, wpm: Range = SPEEDS) -> Iterator[Made]:
    """`count` clips, each drawn from (seed, its number) alone; noise and speed evenly from their
    ranges, to a tenth.

    About every third is sent with Farnsworth's spacing, every second fades. The hand that sends has
    its own jitter, up to 8 % of each length, and wanders by up to a tenth of its speed; pitch
    wanders by up to 15 Hz.
    """
    for k in range(count):
        draw = Draws(seed, k)
        speed = draw.between(round(10 * wpm[0]), round(10 * wpm[1])) / 10
        noise = draw.between(round(10 * snr_db[0]), round(10 * snr_db[1])) / 10
        pitch = draw.between(*PITCHES_HZ)
        spacing = 1.0  # overall speed over that of letters
        if draw.one_in(3):
            spacing = max(draw.between(50, 90) / 100, min(1.0, wpm[0] / speed))
        yield _clip(draw, speed, spacing, noise, pitch)


def _clip(draw: Draws, wpm: float, spacing: float, snr_db: float, pitch_hz: int) -> Made:
    margins = draw.between(RATE // 10, RATE // 2), draw.between(RATE // 10, RATE // 2)
    wanted = draw.between(SECONDS[0] * RATE, SECONDS[1] * RATE)
    # A hand that slows down may need a sixth more.
    room = min(wanted, (SECONDS[1] * RATE - sum(margins)) * 6 // 7)
    text = phrase(draw, lambda text: len(text) > 0 and duration(text, wpm, spacing) <= room)
    keyed = _by_hand(draw, keying(text, wpm, spacing), margins[0])
    samples = max(SECONDS[0] * RATE, keyed[-1][1] + margins[1])
    signal = tone(
        draw.slowly(samples, 1000 * pitch_hz - 15_000, 1000 * pitch_hz + 15_000, 1500),
        draw.between(0, 2**32 - 1),
    )
    fading = np.full(samples, UNIT, dtype=np.int64)
    if draw.one_in(2):  # by up to 10 dB
        fading = draw.slowly(samples, UNIT * 3 // 10, UNIT, UNIT // 8)
    signal = signal * fading // UNIT * envelope(samples, keyed) // UNIT
    peak = draw.between(LOUDEST // 10, LOUDEST)
    sound = with_noise(signal, fading, draw.noise(samples), snr_db, peak)
    return Made(text, wpm, snr_db, pitch_hz, sound)


def with_noise(
    signal: Ints, fading: Ints, noise: Ints, snr_db: float, peak: int
) -> NDArray[np.int16]:
    """A keyed tone in noise. The power that the tone would have with the key always down, its mean
    over the fading, is `snr_db` above the noise in 500 Hz. No sample can be beyond `peak`."""
    in_band = NOISE_POWER * BAND_HZ / (RATE / 2)
    mean_square = int((fading * fading // UNIT).sum()) / UNIT / len(fading)
    amplitude = (2 * in_band * 10 ** (snr_db / 10) / mean_square) ** 0.5
    return mixed(signal, noise, amplitude, peak)


def keying(text: str, wpm: float, spacing: float = 1.0) -> list[tuple[int, int]]:
    """When the key goes down and up again, in samples, as a machine sends.

    With `spacing` below 1 the gaps between letters and words are so much longer that words come at
    spacing * wpm (Farnsworth; formula of the ARRL, Bloom 1990, "A Standard for Morse Timing Using
    the Farnsworth Technique"). KeyError: a symbol without a code.
    """
    dot = DOT_SECONDS / wpm * RATE
    # Of the 50 dots of PARIS 31 are letters; the other 19 are stretched.
    gap = dot * (50 / spacing - 31) / 19
    at, keyed = 0.0, []
    for k, word in enumerate(text.split()):
        at += 7 * gap if k else 0.0
        for j, letter in enumerate(word):
            at += 3 * gap if j else 0.0
            for i, sign in enumerate(CODE[letter]):
                at += dot if i else 0.0
                length = dot if sign == "." else 3 * dot
                keyed.append((round(at), round(at + length)))
                at += length
    return keyed


def duration(text: str, wpm: float, spacing: float = 1.0) -> int:
    """Samples from the first key down to the last key up."""
    keyed = keying(text, wpm, spacing)
    return keyed[-1][1] if keyed else 0


def _by_hand(draw: Draws, keyed: list[tuple[int, int]], begin: int) -> list[tuple[int, int]]:
    """The same by hand, from sample `begin`: every length with its jitter, at a changing speed."""
    jitter = draw.between(0, 80)  # thousandths
    times = np.array(keyed, dtype=np.int64).ravel()
    lengths = np.diff(times)
    parts = 1000 + draw.around(len(lengths), jitter)
    pace = draw.slowly(int(times[-1]) + STEP, 900, 1100, 40)[times[:-1]]
    lengths = np.maximum(lengths * parts // 1000 * pace // 1000, 2 * EDGE)
    moved = begin + np.concatenate([[0], np.cumsum(lengths)])
    return [(int(a), int(b)) for a, b in moved.reshape(-1, 2)]
