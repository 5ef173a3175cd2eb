"""Recordings as numbers: one channel, at the rate asked for, any stretch of them.

clip.flac, 44.1 kHz, 2 channels    read(Recording(Path("clip.flac")), 1.5, 2.0, rate=16_000)
                                   -> 8,000 numbers between -1 and 1
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elman.data.archives import printable
from elman.data.sound.clips import Recording
from elman.data.sound.decoder import Decoder
from elman.data.sound.members import holds_members, members, open_member
from elman.data.sound.mono import RATES, Resampler, mean
from elman.errors import UserError

Floats = NDArray[np.float32]

MOST = 1 << 28  # samples read at once, 1 GiB of them
SLACK_S = 0.25  # by which a stretch may go on after the end: what tells of it was rounded
MARGIN = 512  # samples of the lower rate on each side, beyond which a resampler hears nothing

__all__ = [
    "About", "Opened", "Sound", "about", "blocks", "holds_members", "members", "open_member",
    "opened", "read",
]  # fmt: skip


@dataclass(frozen=True)
class About:
    """What a recording tells of itself."""

    rate: int  # Hz
    channels: int
    frames: int  # samples of each channel
    form: str  # WAV, FLAC, OGG, MP3, AIFF, AU, SPHERE

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.frames / self.rate


@dataclass(frozen=True)
class Sound:
    """One channel: `samples` [T], between -1 and 1, at `rate` a second."""

    samples: Floats
    rate: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate


class Opened:
    """A recording from which several stretches are read, one after another."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self.about = About(decoder.rate, decoder.channels, decoder.frames, decoder.form)

    def read(
        self, start: float = 0.0, stop: float | None = None, *, rate: int | None = None
    ) -> Sound:
        """A stretch, as `read` gives it."""
        out = self.about.rate if rate is None else rate
        pieces: list[Floats] = []
        count = 0
        for piece in _stretch(self._decoder, start, stop, out):
            count += len(piece)
            if count > MOST:
                raise UserError(
                    f"{self._decoder.shown}: {MOST / out / 3600:.1f} hours and more of it at "
                    "once; give it in shorter stretches"
                )
            pieces.append(piece)
        return Sound(np.concatenate(pieces), out)


@contextmanager
def opened(recording: Recording) -> Iterator[Opened]:
    """A recording to be read in several stretches: it is unpacked and looked through once.

    UserError as for `about`.
    """
    with _decoded(recording) as decoder:
        yield Opened(decoder)


def about(recording: Recording) -> About:
    """What the header tells, without decoding; only where it does not tell the length, all of it is
    decoded. UserError where it is no sound, is cut short as far as the header shows, or tells what
    makes no sense."""
    with opened(recording) as sound:
        return sound.about


def read(
    recording: Recording, start: float = 0.0, stop: float | None = None, *, rate: int | None = None
) -> Sound:
    """A stretch of a recording from `start` to `stop` in seconds, the mean of its channels.

    `rate` is in Hz; None keeps that of the recording. Only the stretch is decoded, where the form
    lets one begin anywhere. It is the same as that stretch of the whole, read at that rate.
    UserError as for `about`, where a sample in it is not a number, where it begins after the end,
    or ends more than `SLACK_S` after it, and where it is too long to be held.
    """
    with opened(recording) as sound:
        return sound.read(start, stop, rate=rate)


def blocks(
    recording: Recording,
    seconds: float,
    rate: int | None = None,
    *,
    start: float = 0.0,
    stop: float | None = None,
) -> Iterator[Floats]:
    """What `read` gives, in blocks [`seconds` * rate], the last one shorter, in bounded memory.

    UserError as for `read`, when the block is reached.
    """
    with _decoded(recording) as decoder:
        out = decoder.rate if rate is None else rate
        size = max(1, _nearest(seconds * out))
        held = np.zeros(0, np.float32)
        for piece in _stretch(decoder, start, stop, out):
            held = np.concatenate([held, piece])
            whole = len(held) // size * size
            yield from (held[at : at + size].copy() for at in range(0, whole, size))
            held = held[whole:]
        if len(held):
            yield held


@contextmanager
def _decoded(recording: Recording) -> Iterator[Decoder]:
    with open_member(recording) as stream:
        decoder = Decoder(stream, printable(recording.shown))
        try:
            yield decoder
        finally:
            decoder.close()


def _stretch(
    decoder: Decoder, start: float, stop: float | None, rate: int
) -> Iterator[Floats]:  # fmt: skip
    """The samples with the numbers from start * rate up to stop * rate of the whole, at that rate.

    Where the rate is another, decoding begins earlier, at a frame where both rates have a sample at
    the same moment, so that a stretch has the samples of the whole, and goes on a little longer.
    """
    own, shown = decoder.rate, decoder.shown
    _check(decoder, start, stop, rate)
    first = _nearest(start * rate)
    last = None if stop is None else _nearest(stop * rate)
    begin, end, number = first, last, first  # `number` is that of the next sample that comes out
    if rate != own:
        both = own // math.gcd(own, rate)  # frames between moments that both rates share
        margin = MARGIN * max(1, math.ceil(own / rate))
        begin = max(0, first * own // rate - margin) // both * both
        end = None if last is None else -(-last * own // rate) + margin
        number = begin * rate // own
    left = None if last is None else last - first
    came = 0
    for piece in _resampled(decoder, begin, end, Resampler(own, rate, shown)):
        wanted = piece[max(0, first - number) :][: None if left is None else left - came]
        number += len(piece)
        came += len(wanted)
        if len(wanted):
            yield wanted
    if not came:
        raise UserError(f"{shown}: no samples{_from(start, stop)}; leave it out")


def _resampled(
    decoder: Decoder, begin: int, end: int | None, resampler: Resampler
) -> Iterator[Floats]:  # fmt: skip
    at = begin
    for frames in decoder.blocks(begin, end):
        yield resampler.feed(mean(frames, decoder.shown, at, decoder.rate))
        at += len(frames)
    yield resampler.ended()


def _check(decoder: Decoder, start: float, stop: float | None, rate: int) -> None:
    shown, lasts = decoder.shown, decoder.frames / decoder.rate
    if not RATES[0] <= rate <= RATES[1]:
        raise UserError(f"a rate of {rate} samples a second; {RATES[0]:,} to {RATES[1]:,} fit")
    if not (math.isfinite(start) and start >= 0) or (stop is not None and not stop > start):
        raise UserError(f"{shown}: no stretch of it lies{_from(start, stop)}; 0 <= start < stop")
    if not decoder.frames:
        raise UserError(f"{shown}: holds no samples; leave it out")
    if start >= lasts:
        raise UserError(f"{shown}: lasts {lasts:.3f} s; there is nothing{_from(start, stop)}")
    if stop is not None and not stop <= lasts + SLACK_S:
        raise UserError(f"{shown}: lasts {lasts:.3f} s, and ends before {stop:.3f} s")


def _from(start: float, stop: float | None) -> str:
    if stop is not None:
        return f" from {start:.3f} to {stop:.3f} s"
    return f" from {start:.3f} s on" if start else ""


def _nearest(number: float) -> int:
    return math.floor(number + 0.5)
