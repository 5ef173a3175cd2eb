"""A piece as sound: a small additive synthesiser, and fluidsynth where that is installed.

A note is a sum of sines at whole multiples of its frequency, each fainter and dying away sooner
than the one below it, as those of a plucked or struck string do; drums are noise.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman.data.symbolic.piece import Note, Piece
from elman.data.symbolic.timing import seconds
from elman.errors import RunError, UserError

RATE_HZ = 44_100
LOUDEST = 0.89  # of the largest number: a decibel below what would be clipped
PARTIALS = 10
HIGHEST_HZ = 16_000.0  # no partial lies above
ATTACK_SECONDS, RELEASE_SECONDS = 0.006, 0.08
LONGEST_SECONDS = 3600.0
HALVED_SECONDS = 0.9  # in which the middle C falls to half; an octave higher it takes 0.7 of that
AUDIBLE = 16  # halvings; beyond, a note is below one step of 16 bits
FONTS = ("/usr/share/sounds/sf2", "/usr/share/sounds/sf3", "/usr/share/soundfonts")

Wave = NDArray[np.float32]


def synthesise(piece: Piece) -> NDArray[np.int16]:
    """Samples [S] of a piece, one channel, `RATE_HZ` a second; none is clipped.

    The loudness of a note follows its velocity. Where many notes together would be too loud, all
    of the piece is made fainter. UserError: it lasts longer than an hour.
    """
    at = seconds(piece)
    last = at(piece.length)
    if last > LONGEST_SECONDS:
        raise UserError(f"the piece lasts {last:,.0f} seconds; sound is made of an hour at most")
    mixed = np.zeros(round((last + RELEASE_SECONDS) * RATE_HZ) + 1, np.float32)
    for track in piece.tracks:
        make: Callable[[int, int], Wave] = _drum if track.is_drum else _tone
        for note in track.notes:
            _add(mixed, make(note.pitch, _samples(note, at)), at(note.start), note.velocity)
    peak = float(np.abs(mixed).max(initial=0))
    mixed *= 32_767 * LOUDEST / max(peak, 1.0)
    return np.rint(mixed).astype(np.int16)


def _samples(note: Note, at: Callable[[float], float]) -> int:
    """How long a key is held, to the hundredth of a second, so that few waves are made."""
    return max(round((at(note.end) - at(note.start)) * 100), 1) * (RATE_HZ // 100)


def _add(mixed: Wave, tone: Wave, begin: float, velocity: int) -> None:
    first = round(begin * RATE_HZ)
    room = min(len(tone), len(mixed) - first)
    mixed[first : first + room] += tone[:room] * np.float32(0.35 * (velocity / 127) ** 1.5)


@lru_cache(maxsize=256)
def _tone(pitch: int, held: int) -> Wave:
    """A note of peak 1 at most, held for so many samples; it ends in silence."""
    hertz = 440.0 * 2 ** ((pitch - 69) / 12)
    halved = HALVED_SECONDS * 0.7 ** ((pitch - 60) / 12)
    held = min(held, round(AUDIBLE * halved * RATE_HZ))
    time = np.arange(held + round(RELEASE_SECONDS * RATE_HZ), dtype=np.float64) / RATE_HZ
    angle = 2 * np.pi * hertz * time
    decay = np.exp2(-time / halved)
    # sin(k a) = 2 cos(a) sin((k - 1) a) - sin((k - 2) a): one sine for all partials.
    twice, before, sine = 2 * np.cos(angle), np.zeros_like(angle), np.sin(angle)
    tone, fade, total = np.zeros_like(angle), decay.copy(), 0.0
    for k in range(1, PARTIALS + 1):
        if k * hertz > HIGHEST_HZ:
            break
        strength = k**-1.4
        tone += strength * fade * sine
        total += strength
        before, sine = sine, twice * sine - before
        fade *= np.sqrt(decay)
    return (tone / max(total, 1.0) * _envelope(held, len(time))).astype(np.float32)


@lru_cache(maxsize=256)
def _drum(pitch: int, held: int) -> Wave:
    """A burst of noise, shorter and brighter the higher the pitch; it is the same each time."""
    noise = np.random.default_rng(pitch).uniform(-1, 1, RATE_HZ // 3)
    smooth = max(1, round(40 * 2 ** ((35 - pitch) / 3)))  # samples that are averaged
    noise = np.convolve(noise, np.ones(smooth) / np.sqrt(smooth), "same") * 0.5
    time = np.arange(len(noise)) / RATE_HZ
    fading = np.exp2(-time / (0.05 * 2 ** ((35 - pitch) / 24)))
    made = noise * fading * _envelope(len(noise) // 2, len(noise))
    return (made / max(float(np.abs(made).max()), 1.0)).astype(np.float32)


def _envelope(held: int, samples: int) -> NDArray[np.float64]:
    """From silence to full loudness at once, and to silence again once the key is let go [S]."""
    rise = np.minimum(np.arange(samples) / (ATTACK_SECONDS * RATE_HZ), 1)
    release = np.clip((samples - 1 - np.arange(samples)) / max(samples - 1 - held, 1), 0, 1)
    return np.asarray(rise * release**2)


def write_wav(samples: NDArray[np.int16], path: Path) -> None:
    """Samples [S] as a WAV file."""
    with path.open("wb") as file, wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(samples.astype("<i2").tobytes())


def sound_font() -> Path | None:
    """A sound font for fluidsynth: $ELMAN_SOUNDFONT, or one where systems keep them."""
    named = os.environ.get("ELMAN_SOUNDFONT")
    if named:
        return Path(named)
    found = (sorted(Path(folder).glob("*.sf[23]")) for folder in FONTS)
    return next((fonts[0] for fonts in found if fonts), None)


def fluidsynth() -> str | None:
    """The program fluidsynth where it and a sound font are there, else None."""
    return shutil.which("fluidsynth") if sound_font() is not None else None


def by_fluidsynth(midi: bytes, path: Path) -> None:
    """A MIDI file played by fluidsynth into a WAV file. RunError: it failed."""
    program, font = fluidsynth(), sound_font()
    if program is None:
        raise RunError("fluidsynth is not there, or no sound font")
    with tempfile.TemporaryDirectory() as folder:
        played = Path(folder) / "piece.mid"
        played.write_bytes(midi)
        command = [program, "-ni", "-F", str(path), "-r", str(RATE_HZ), str(font), str(played)]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=600)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RunError(f"{program}: {error}") from error
    if ended.returncode or not path.is_file():
        raise RunError(f"{program}: {(ended.stderr or 'it wrote nothing').strip()[-200:]}")
