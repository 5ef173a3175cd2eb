"""Whether the length of an MP3 can be known: by a tag in its first frame, or since all frames are
alike. libsndfile guesses it otherwise, and reads no further than it guessed.

fff388c4 … "Xing" 0000000f 0000006b     107 frames follow
"""

from __future__ import annotations

from collections.abc import Callable

# kilobits a second of layer III, by the number in the header: MPEG 1, then MPEG 2 and 2.5.
RATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
RATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
HZ = (44_100, 48_000, 32_000)  # of MPEG 1; half of it in MPEG 2, a quarter in MPEG 2.5
TAG = 64  # bytes of a frame in which a tag begins


def tags_end(seek: Callable[[int], int], read: Callable[[int], bytes]) -> int:
    """The bytes of names and pictures before the first frame (ID3v2)."""
    seek(0)
    start = read(10)
    size = 0
    if not start.startswith(b"ID3") or len(start) < 10:
        return 0
    for byte in start[6:]:
        size = size << 7 | byte & 127
    return 10 + size


def length_is_known(seek: Callable[[int], int], read: Callable[[int], bytes]) -> bool:
    """Whether the number of frames is told, or follows from the size of what begins with one."""
    seek(0)
    frame = read(TAG)
    for name in (b"Xing", b"Info"):
        tag = frame.find(name)
        if 0 <= tag <= len(frame) - 12:
            return bool(frame[tag + 7] & 1 and any(frame[tag + 8 : tag + 12]))
    return b"VBRI" in frame or _even(seek, read)


def _even(seek: Callable[[int], int], read: Callable[[int], bytes]) -> bool:
    """Whether all frames are written at one rate."""
    at = 0
    rates: set[int] = set()
    while len(rates) < 2:
        seek(at)
        header = read(4)
        rate, length = _frame(header)
        if not length:
            break
        rates.add(rate)
        at += length
    return len(rates) < 2


def _frame(header: bytes) -> tuple[int, int]:
    """The kilobits a second of a frame of layer III, and its bytes; 0 where it is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return 0, 0
    version, number, hz = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or hz == 3 or number in (0, 15):
        return 0, 0
    rate = (RATES_1 if version == 3 else RATES_2)[number]
    slots, half = (144_000, 0) if version == 3 else (72_000, 1 if version == 2 else 2)
    return rate, slots * rate // (HZ[hz] >> half) + (header[2] >> 1 & 1)
