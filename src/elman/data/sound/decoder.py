"""A recording decoded by libsndfile, which is told nothing that it need not believe.

A header may lie: no more is set aside than has been decoded, and what was told is compared with
what came.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from elman.data.forms.extras import library
from elman.data.sound import wav
from elman.data.sound.mono import CHANNELS, checked_form
from elman.data.sound.mp3 import length_is_known, tags_end
from elman.errors import UserError

BLOCK = 1 << 16  # samples of all channels, decoded at once
BEFORE = 1 << 14  # frames decoded before a stretch of what is not stored sample by sample
DENSEST = 1 << 13  # frames that a byte can stand for: a FLAC of silence has 5,000
MP3_SLACK = 4 * 1152  # frames by which programs differ at both ends of an MP3
PAGE = 27 + 255 + 255 * 255  # bytes of the longest page of an OGG
LOST = "damaged or cut short; make it or download it again"

FORMS = {  # as libsndfile calls them
    "WAV": "WAV", "WAVEX": "WAV", "RF64": "WAV", "FLAC": "FLAC", "OGG": "OGG", "MP3": "MP3",
    "AIFF": "AIFF", "AU": "AU", "NIST": "SPHERE",
}  # fmt: skip
STARTS = (
    (b"RIFF", "WAV"), (b"RIFX", "WAV"), (b"RF64", "WAV"), (b"fLaC", "FLAC"), (b"OggS", "OGG"),
    (b"ID3", "MP3"), (b"FORM", "AIFF"), (b".snd", "AU"), (b"dns.", "AU"), (b"NIST_1A", "SPHERE"),
)  # fmt: skip
OTHERS = (  # what people have, and where it tells what it is
    (4, b"ftyp", "an M4A or MP4"), (0, b"\x1aE\xdf\xa3", "a WebM or Matroska"),
    (0, b"0&\xb2u", "a WMA"), (0, b"MThd", "a MIDI file, which holds notes"),
    (0, b"version https://git-lfs", "a pointer of Git LFS (git lfs pull)"),
)  # fmt: skip
BROKEN = (RuntimeError, ValueError, TypeError, AssertionError, OverflowError, MemoryError)


class Decoder:
    """The frames of one recording, from a stream of its bytes.

    UserError where it is no sound, is damaged, or tells what makes no sense.
    """

    def __init__(self, stream: BinaryIO, shown: str) -> None:
        self.shown = shown
        self._library = library("soundfile", "soundfile", shown, extra="audio")
        self._stream = _View(stream)
        start = self._stream.read(1024)
        self._form = _form(start, shown)
        size = self._stream.size
        self._noisy = self._form == "MP3"  # its library writes to standard error
        last_page = _last_page(self._stream, size) if self._form == "OGG" else 0
        if self._form == "WAV":
            self._read_header(size)
        elif last_page is None or not _whole(self._form, start, size):
            raise UserError(f"{shown}: cut short; make it or download it again")
        if self._form == "MP3":
            self._read_tags()
        sound = self._open()
        self.rate, self.channels = int(sound.samplerate), int(sound.channels)
        self.form = FORMS.get(sound.format, "")
        if not self.form:
            raise _no_sound(shown, start)
        checked_form(shown, self.rate, self.channels)
        # Within the last page libvorbis finds a place that is wrong by what was cut off at its end.
        self._found = last_page if sound.subtype == "VORBIS" else None
        self._seeks = bool(sound.seekable())
        frames = int(sound.frames)
        if frames == 2**63 - 1:  # not told, as in a FLAC that came through a pipe
            self._seeks = False
            frames = sum(map(len, self._decoded(sound)))
            sound = None
        if not 0 <= frames <= DENSEST * size:
            raise UserError(
                f"{shown}: its header tells {frames:,} samples, more than {size:,} bytes can hold; "
                "make it or download it again"
            )
        self.frames = frames
        self._sound = sound  # at its first frame; None where it has to be opened again

    def close(self) -> None:
        """Closes what is open, but for the stream that was given."""
        if self._sound is not None:
            self._sound.close()

    def blocks(self, begin: int, end: int | None) -> Iterator[NDArray[np.float32]]:
        """The frames from number `begin` up to `end`, or to the last one, [n, C] at a time.

        One such at a time; the next may begin anywhere. UserError where there are fewer than the
        header told.
        """
        end = self.frames if end is None else min(end, self.frames)
        at = 0
        sound = self._open() if self._sound is None else self._sound
        self._sound = sound if self._seeks else None
        if self._seeks:
            at = self._start(begin)
            try:
                with self._quiet():
                    sound.seek(at)
            except BROKEN:
                raise UserError(f"{self.shown}: {LOST}") from None
        for frames in self._decoded(sound):
            wanted = frames[max(0, begin - at) : end - at]
            at += len(frames)
            if len(wanted):
                yield wanted
            if at >= end:
                return
        slack = MP3_SLACK if self.form == "MP3" else 0
        if at < end - slack:
            raise UserError(
                f"{self.shown}: its header tells {self.frames / self.rate:.3f} s, and it ends "
                f"after {at / self.rate:.3f} s: {LOST}"
            )

    def _start(self, begin: int) -> int:
        """The frame with which to begin, so that `begin` is right. A frame of OGG and MP3 depends
        on those before it, and libsndfile begins too late for it."""
        if self.form not in ("OGG", "MP3"):
            return begin
        return max(0, (begin if self._found is None else min(begin, self._found)) - BEFORE)

    def _open(self) -> Any:
        self._stream.seek(0)
        try:
            with self._quiet():
                return self._library.SoundFile(self._stream)
        except BROKEN:
            raise UserError(f"{self.shown}: {self._form}, but not readable: {LOST}") from None

    def _decoded(self, sound: Any) -> Iterator[NDArray[np.float32]]:
        """All frames from where it stands."""
        # Else soundfile seeks after each block, which no OGG survives unharmed, nor a FLAC that
        # does not tell its length at all.
        sound.seekable = lambda: False
        size = max(1, BLOCK // min(CHANNELS, self.channels))
        while True:
            try:
                with self._quiet():
                    frames = sound.read(size, dtype="float32", always_2d=True)
            except BROKEN:
                raise UserError(f"{self.shown}: {LOST}") from None
            if self._stream.failed:
                raise UserError(f"cannot read {self.shown}: {self._stream.failed}")
            if not len(frames):
                return
            yield frames

    def _quiet(self) -> Any:
        return _silence() if self._noisy else nullcontext()

    def _read_tags(self) -> None:
        """Passes over what is no frame of an MP3, which libsndfile takes for some of its length."""
        view = self._stream
        view.begin_at(tags_end(view.seek, view.read))
        if not length_is_known(view.seek, view.read):
            raise UserError(
                f"{self.shown}: an MP3 of changing bit rate that does not tell its length; write "
                "it again: ffmpeg -i it -c copy again.mp3"
            )

    def _read_header(self, size: int) -> None:
        """What a WAV tells of its own length, which libsndfile passes over."""
        self._stream.seek(0)
        try:
            header = wav.header(self._stream.read)
        except wav.Broken:
            return  # libsndfile reads what is stranger, or not
        self._noisy = not header.form.known
        there = size - header.at
        if header.told is None:
            self._stream.patch = header.at - 4, b"\xff\xff\xff\xff"  # until the end, not 0
        elif header.told > there:
            raise UserError(
                f"{self.shown}: cut short: its header tells {header.told:,} bytes of samples, and "
                f"there are {there:,}; make it or download it again"
            )


def _form(start: bytes, shown: str) -> str:
    """The form by the first bytes, whatever the name says."""
    for mark, form in STARTS:
        if start.startswith(mark):
            return form
    if len(start) > 3 and start[0] == 0xFF and start[1] & 0xE0 == 0xE0:  # a frame of MPEG
        return "MP3"
    raise _no_sound(shown, start)


def _no_sound(shown: str, start: bytes) -> UserError:
    what = next((name for at, mark, name in OTHERS if start[at:].startswith(mark)), "")
    if not start:
        what = "an empty file"
    return UserError(
        f"{shown}: {what or 'no sound that is known'}; WAV, FLAC, OGG, MP3, AIFF, AU and SPHERE "
        "can be read: convert it"
    )


def _whole(form: str, start: bytes, size: int) -> bool:
    """Whether a file is as long as it tells, as far as it tells."""
    if form == "AIFF" and len(start) >= 8:
        return int(struct.unpack(">I", start[4:8])[0]) + 8 <= size + 1
    if form == "AU" and len(start) >= 12:
        order = ">" if start[:4] == b".snd" else "<"
        at, told = struct.unpack(f"{order}II", start[4:12])
        return told == 0xFFFFFFFF or int(at) + int(told) <= size
    if form == "SPHERE":
        told = 1
        for name in (b"sample_count", b"sample_n_bytes", b"channel_count"):
            _, _, rest = start.partition(b"\n" + name + b" -i ")
            number = rest.split(b"\n")[0].strip()
            told *= int(number) if number.isdigit() and len(number) < 19 else 0
        return told <= size - 1024
    return True


def _last_page(stream: _View, size: int) -> int | None:
    """The frame that the last page of an OGG begins with; None where there is no page that is
    marked as the last."""
    stream.seek(max(0, size - 2 * PAGE))
    tail = stream.read(2 * PAGE)
    before, found = 0, None
    at = tail.find(b"OggS\0")
    while 0 <= at <= len(tail) - 27:
        table = tail[at + 27 : at + 27 + tail[at + 26]]
        end = at + 27 + len(table) + sum(table)
        if len(table) == tail[at + 26] and end <= len(tail):
            if tail[at + 5] & 4:
                found = before
            before = max(0, struct.unpack("<q", tail[at + 6 : at + 14])[0])
        at = tail.find(b"OggS\0", at + 1)
    return found


class _View:
    """A stream that nothing asked of it by a damaged file makes fail."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._at = 0
        self.size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        self.patch: tuple[int, bytes] | None = None  # bytes read as others, and where
        self.failed = ""
        self.name = ""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self.size}[whence]
        return self._stream.seek(self._at + min(max(0, base + offset), self.size)) - self._at

    def begin_at(self, at: int) -> None:
        """Leaves out the first bytes, where there are more."""
        if at < self.size:
            self._at, self.size = at, self.size - at

    def tell(self) -> int:
        return self._stream.tell() - self._at

    def read(self, size: int) -> bytes:
        at = self._stream.tell()
        try:
            data = self._stream.read(max(0, size))
        except OSError as error:
            self.failed = error.strerror or str(error)
            return b""
        if self.patch is not None:
            place, other = self.patch
            if at < place + len(other) and place < at + len(data):
                changed = bytearray(data)
                for k, byte in enumerate(other):
                    if at <= place + k < at + len(data):
                        changed[place + k - at] = byte
                return bytes(changed)
        return data

    def readinto(self, buffer: memoryview) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


_one = threading.Lock()


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing that compiled code writes to standard error is seen."""
    with _one:
        try:
            kept = os.dup(2)
        except OSError:  # closed
            yield
            return
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
