"""WAV as it stands in a file or comes through a pipe: its header, and its bytes as samples.

RIFF ffffffff WAVE                 sizes that a pipe cannot know: 0, ffffffff, 7ffff000 …
fmt  16: 1 (PCM), 1 channel, 16000 Hz, 32000 bytes a second, 2 bytes a frame, 16 bits a sample
data ffffffff, and samples until the end
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

FORMAT_BYTES = 4096  # a format chunk has 16 to 40
ABOUT_BYTES = 64 << 20  # of chunks before the samples: names, pictures
BLOCK = 1 << 16  # bytes
EXTENSIBLE = 0xFFFE  # the true format is the first two bytes of a longer name, 8 bytes on
PCM, FLOAT, A_LAW, MU_LAW = 1, 3, 6, 7
# What programs write for the number of bytes where they cannot go back to tell it: many 0, ffmpeg
# 2**32 - 1, arecord 0x7fffff00, sox 0x7ffff000 less a part of a frame.
UNKNOWN = (0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x7FFFFF00, 0x7FFFF000)
PART_OF_FRAME = 512  # bytes by which these may be smaller


class Broken(ValueError):
    """What is wrong with a header, in words that go on after "its header"."""


class Header(NamedTuple):
    """What stands before the samples."""

    form: Form
    size: int  # bytes of samples as they are told, in which 0 and `UNKNOWN` may mean unknown
    at: int  # bytes from the start of the file to the samples
    outer: int  # bytes of the whole, less 8, as they are told

    @property
    def told(self) -> int | None:
        """Bytes of samples; None where whoever wrote the header did not know."""
        unknown = any(0 <= most - self.size < PART_OF_FRAME for most in UNKNOWN)
        return None if unknown or self._unfinished else self.size

    @property
    def _unfinished(self) -> bool:
        """A program that wrote 0, and never came back, has not told the size of the whole either;
        an empty recording has."""
        empty = self.at - 8
        return self.size == 0 and (self.outer < empty or self.outer in UNKNOWN)


@dataclass(frozen=True)
class Form:
    """How samples are written."""

    code: int  # of the encoding: 1 PCM, 3 float, 6 A-law, 7 mu-law; others are not read here
    channels: int
    rate: int  # Hz
    frame: int  # bytes of one sample of each channel
    bits: int  # of a sample

    @property
    def known(self) -> bool:
        """Whether `samples` reads it."""
        return (
            (self.code, self.bits) in _READ
            and self.channels > 0
            and self.frame == self.channels * self.bits // 8
        )

    def samples(self, data: bytes) -> Floats:
        """Whole frames as numbers between -1 and 1, [n, C]."""
        return _READ[self.code, self.bits](data).reshape(-1, self.channels)


def header(take: Callable[[int], bytes]) -> Header:
    """The header; `take(n)` gives the next n bytes, fewer only at the end.

    What stands between header and samples is passed over. Broken where it is no header.
    """
    start = take(12)
    if len(start) < 12 or start[:4] not in (b"RIFF", b"RF64") or start[8:] != b"WAVE":
        raise Broken("is not that of a WAV")
    outer = struct.unpack("<I", start[4:8])[0]
    form, at = None, 12
    while at < ABOUT_BYTES:
        chunk = take(8)
        if len(chunk) < 8:
            raise Broken("ends before its samples begin")
        name, size = struct.unpack("<4sI", chunk)
        at += 8
        if name == b"data":
            if form is None:
                raise Broken("does not tell the rate before the samples")
            return Header(form, size, at, outer)
        padded = size + size % 2
        if name == b"fmt ":
            if size > FORMAT_BYTES:
                raise Broken("is longer than that of a WAV")
            form = _form(take(padded))
        elif padded > ABOUT_BYTES or not _skipped(take, padded):
            raise Broken("ends before its samples begin")
        at += padded
    raise Broken("is longer than that of a WAV")


def _form(chunk: bytes) -> Form:
    if len(chunk) < 16:
        raise Broken("ends before its samples begin")
    code, channels, rate, _, frame, bits = struct.unpack("<HHIIHH", chunk[:16])
    if code == EXTENSIBLE and len(chunk) >= 26:
        code = struct.unpack("<H", chunk[24:26])[0]
    return Form(code, channels, rate, frame, bits)


def _skipped(take: Callable[[int], bytes], size: int) -> bool:
    """Whether that many bytes were there to be passed over."""
    while size:
        block = take(min(size, BLOCK))
        if not block:
            return False
        size -= len(block)
    return True


def _unsigned8(data: bytes) -> Floats:
    return (np.frombuffer(data, np.uint8).astype(np.float32) - np.float32(128)) / np.float32(128)


def _signed16(data: bytes) -> Floats:
    return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(2**15)


def _signed24(data: bytes) -> Floats:
    wide = np.zeros((len(data) // 3, 4), np.uint8)  # the lowest byte is 0, so that the sign stays
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return _signed32(wide.tobytes())


def _signed32(data: bytes) -> Floats:
    return (np.frombuffer(data, "<i4") / 2**31).astype(np.float32)


def _float32(data: bytes) -> Floats:
    return np.frombuffer(data, "<f4").astype(np.float32)


def _float64(data: bytes) -> Floats:
    with np.errstate(over="ignore", invalid="ignore"):  # too large: infinite, and told as that
        return np.frombuffer(data, "<f8").astype(np.float32)


def _a_law(data: bytes) -> Floats:
    return _law_tables()[0][np.frombuffer(data, np.uint8)]


def _mu_law(data: bytes) -> Floats:
    return _law_tables()[1][np.frombuffer(data, np.uint8)]


@cache
def _law_tables() -> tuple[Floats, Floats]:
    """A-law and mu-law, byte by byte (ITU-T G.711): sign, three bits of exponent, four of fraction;
    as numbers of 16 bits."""
    a, mu = np.arange(256) ^ 0x55, np.arange(256) ^ 0xFF
    e, f = a >> 4 & 7, a & 15
    size = np.where(e == 0, (f << 4) + 8, (f << 4) + 0x108 << np.maximum(e - 1, 0))
    of_a = np.where(a & 0x80, size, -size)
    e, f = mu >> 4 & 7, mu & 15
    size = ((f << 3) + 0x84 << e) - 0x84
    of_mu = np.where(mu & 0x80, -size, size)
    return (of_a / 2**15).astype(np.float32), (of_mu / 2**15).astype(np.float32)


_READ: dict[tuple[int, int], Callable[[bytes], Floats]] = {
    (PCM, 8): _unsigned8, (PCM, 16): _signed16, (PCM, 24): _signed24, (PCM, 32): _signed32,
    (FLOAT, 32): _float32, (FLOAT, 64): _float64, (A_LAW, 8): _a_law, (MU_LAW, 8): _mu_law,
}  # fmt: skip
