"""Sound as it arrives on a pipe: what is there is told at once.

arecord -f S16_LE -r 16000 | elman predict RUN -            a WAV that does not know how long it is
arecord -t raw -f S16_LE -r 16000 | elman predict RUN -     samples alone; their rate must be told
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from elman.data.sound import wav
from elman.data.sound.mono import RATES, Resampler, checked_form, mean
from elman.errors import UserError

BLOCK = 1 << 15  # bytes taken at once, a second of sound of 16 bits at 16 kHz
RAW = 2  # bytes of a sample, of 16 bits, the lower byte first
HEADERS = (b"RIFF", b"RF64")
PACKED = (b"fLaC", b"OggS", b"ID3", b"FORM", b".snd", b"RIFX", b"NIST")
CONVERT = "pipe it through ffmpeg -loglevel error -i - -f wav -"


def incoming(
    stream: BinaryIO, rate: int | None, rate_out: int, *, shown: str = "standard input"
) -> Iterator[NDArray[np.float32]]:
    """The samples of a stream, the mean of its channels, [n] at a time, between -1 and 1.

    A WAV, or samples alone: 16 bits, signed, the lower byte first, one channel, `rate` Hz. All
    pieces together are what `audio.read` gives of the same bytes in a file. A piece comes as soon
    as its bytes have: with another rate than `rate_out` up to 0.2 s later at 8 kHz and above, since
    a resampler looks ahead. UserError where it is another form, the rate is missing, or contradicts
    the header, a sample is not a number, nothing comes, or less than the header told.
    """
    if not RATES[0] <= rate_out <= RATES[1]:
        raise UserError(f"a rate of {rate_out} samples a second; {RATES[0]:,} to {RATES[1]:,} fit")
    source = _Source(stream, shown)
    form, size = _begun(source, rate, shown)
    resampler = Resampler(form.rate, rate_out, shown)
    at = 0  # frames
    for data in source.rest(form.frame, size):
        frames = form.samples(data)
        piece = resampler.feed(mean(frames, shown, at, form.rate))
        at += len(frames)
        if len(piece):
            yield piece
    if not at:
        raise UserError(f"{shown}: no sound came; look whether what sends it works")
    piece = resampler.ended()
    if len(piece):
        yield piece
    if size is not None and at < size // form.frame:
        raise UserError(
            f"{shown}: cut short: its header tells {size // form.frame / form.rate:.3f} s, and it "
            f"ended after {at / form.rate:.3f} s"
        )


def _begun(source: _Source, rate: int | None, shown: str) -> tuple[wav.Form, int | None]:
    """How samples are written, and how many bytes of them come, where that is told."""
    start = source.peek(4)
    if not start:
        raise UserError(f"{shown}: no sound came; look whether what sends it works")
    if start in HEADERS:
        try:
            header = wav.header(source.take)
        except wav.Broken as error:
            raise UserError(f"{shown}: its header {error}; {CONVERT}") from None
        form = header.form
        checked_form(shown, form.rate, form.channels)
        if not form.known:
            raise UserError(
                f"{shown}: a WAV of encoding {form.code} in {form.bits} bits; {CONVERT}"
            )
        if rate not in (None, form.rate):
            raise UserError(
                f"{shown}: its header tells {form.rate:,} samples a second, not {rate:,}; leave "
                "the rate out"
            )
        # Nobody knows the length of a pipe that is told to hold nothing.
        return form, header.told or None
    if start.startswith(PACKED):
        raise UserError(f"{shown}: neither a WAV nor samples alone; {CONVERT}")
    if rate is None:
        raise UserError(
            f"{shown}: samples without a header, and their rate is not told; give it, as "
            "--raw-rate 16000, or send a WAV"
        )
    checked_form(shown, rate, 1)
    return wav.Form(wav.PCM, 1, rate, RAW, 8 * RAW), None


class _Source:
    """A stream of bytes, which is asked for no more than is there."""

    def __init__(self, stream: BinaryIO, shown: str) -> None:
        # What is there, without waiting for more.
        self._read = stream.read1 if hasattr(stream, "read1") else stream.read
        self._shown = shown
        self._held = b""

    def peek(self, size: int) -> bytes:
        """The next bytes, which stay; fewer only at the end."""
        while len(self._held) < size and (block := self._block()):
            self._held += block
        return self._held[:size]

    def take(self, size: int) -> bytes:
        """The next bytes; fewer only at the end."""
        data = self.peek(size)
        self._held = self._held[size:]
        return data

    def rest(self, unit: int, size: int | None) -> Iterator[bytes]:
        """All that comes, at most `size` bytes, in whole units; a part of one at the end is left
        out: what sends it was stopped."""
        left = size
        while left is None or left >= unit:
            if len(self._held) < unit:
                block = self._block()
                if not block:
                    return
                self._held += block
            here = len(self._held) if left is None else min(len(self._held), left)
            whole = here // unit * unit
            if whole:
                yield self._held[:whole]
                self._held = self._held[whole:]
                left = None if left is None else left - whole

    def _block(self) -> bytes:
        try:
            return self._read(BLOCK) or b""
        except OSError as error:
            raise UserError(f"cannot read {self._shown}: {error.strerror or error}") from None
