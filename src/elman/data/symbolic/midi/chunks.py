"""The bytes of a MIDI file as events, chunk by chunk, nothing believed that was not seen.

4d546864 00000006 0001 0002 01e0     MThd: format 1, 2 tracks, 480 ticks a quarter
4d54726b 0000000c …                  MTrk: 12 bytes of events
00 90 3c 50                          at once: note on, channel 0, pitch 60, velocity 80
83 60 3c 00                          480 ticks later, the status left out: pitch 60 ends

The Complete MIDI 1.0 Detailed Specification, 1996: Standard MIDI Files 1.0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from elman.errors import UserError

Ints = NDArray[np.int64]

HEADER: Final = b"MThd"
TRACK: Final = b"MTrk"
RIFF: Final = b"RIFF"
RMID: Final = b"RMID"
LARGEST: Final = 1 << 24  # bytes of a file; those of a whole opera are fewer than a million
MOST_EVENTS: Final = 1_000_000
MOST_CHUNKS: Final = 1_000
END_OF_TRACK: Final = 0x2F
VARIABLE: Final = 4  # bytes of a number of variable length
SHIFTS: Final = np.array([24, 16, 8, 0])
MASKS: Final = np.array([(1 << 39) - 1, 0xFF, 0xFF, 0xFF])
AGAIN: Final = "make it or download it again"


@dataclass
class Events:
    """What stands in one track. `channel` [N, 4] has tick, status, first and second byte, `metas`
    has (tick, kind, bytes); both in the order of the file. It lasts up to the tick `end`."""

    channel: Ints = field(default_factory=lambda: np.zeros((0, 4), np.int64))
    metas: list[tuple[int, int, bytes]] = field(default_factory=list)
    system: int = 0  # messages of the maker of an instrument
    end: int = 0
    ended: bool = False  # as it should, by an event that says so
    after: int = 0  # bytes behind that event


@dataclass
class File:
    """A MIDI file. `division` is of its header as it stands: below 0x8000 ticks a quarter."""

    format: int
    told: int  # tracks, as the header says
    division: int
    tracks: list[Events] = field(default_factory=list)
    strange: int = 0  # chunks of no kind that is known
    behind: int = 0  # bytes behind the last track that are no chunk


def is_midi(start: bytes) -> bool:
    """Whether bytes begin as MIDI does, wrapped in RIFF or not."""
    return start.startswith(HEADER) or (start.startswith(RIFF) and start[8:12] == RMID)


def parse(data: bytes, name: str) -> File:
    """All events. UserError naming the byte: not MIDI, cut short, or damaged."""
    if len(data) > LARGEST:
        raise UserError(f"{name}: {len(data):,} bytes, more than a MIDI file of {LARGEST:,}")
    at, end = _wrapped(data, name)
    if data[at : at + 4] != HEADER:
        raise UserError(f"{name}: not MIDI: it does not begin with MThd; give a .mid file")
    size = _long(data, at + 4, end, name)
    if size < 6 or at + 8 + size > end:
        raise (
            _cut(name, end)
            if size >= 6
            else UserError(
                f"{name}: not MIDI: a header of {size} bytes, where 6 are needed; {AGAIN}"
            )
        )
    numbers = [int.from_bytes(data[at + k : at + k + 2], "big") for k in (8, 10, 12)]
    file, at = File(numbers[0], numbers[1], numbers[2]), at + 8 + size
    events = 0
    while at < end:
        kind = data[at : at + 4]
        if len(file.tracks) >= file.told and not (len(kind) == 4 and kind.isalnum()):
            file.behind = end - at
            break
        size = _long(data, at + 4, end, name)
        if at + 8 + size > end:
            raise _cut(name, end, f"; a chunk says that it has {size:,} bytes")
        if kind == TRACK:
            track = _track(data, at + 8, at + 8 + size, name, MOST_EVENTS - events)
            events += len(track.channel) + len(track.metas) + track.system
            file.tracks.append(track)
        else:
            file.strange += 1
        if len(file.tracks) + file.strange > MOST_CHUNKS:
            raise UserError(f"{name}: more than {MOST_CHUNKS:,} chunks; {AGAIN}")
        at += 8 + size
    if len(file.tracks) < file.told:
        raise UserError(
            f"{name}: cut short: {len(file.tracks):,} tracks of {file.told:,} that its header "
            f"tells of; {AGAIN}"
        )
    return file


def _wrapped(data: bytes, name: str) -> tuple[int, int]:
    """Where the MIDI file begins and ends within its wrapping, if it has one."""
    if not data.startswith(RIFF):
        return 0, len(data)
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"data":
            if at + 8 + size > len(data):
                raise _cut(name, len(data))
            return at + 8, at + 8 + size
        at += 8 + size + size % 2
    raise UserError(f"{name}: RIFF without MIDI in it; {AGAIN}")


def _long(data: bytes, at: int, end: int, name: str) -> int:
    if at + 4 > end:
        raise _cut(name, end)
    return int.from_bytes(data[at : at + 4], "big")


def _cut(name: str, end: int, why: str = "") -> UserError:
    return UserError(f"{name}: cut short at byte {end:,}{why}; {AGAIN}")


def _many(name: str) -> UserError:
    return UserError(f"{name}: more than {MOST_EVENTS:,} events; cut it into pieces")


def _damaged(name: str, at: int, what: str) -> UserError:
    return UserError(f"{name}, byte {at:,}: {what}: damaged; {AGAIN}")


def _track(data: bytes, at: int, end: int, name: str, most: int) -> Events:
    """The events between two bytes; what stands there once an event says that it is the last is
    counted and not read."""
    track = Events()
    packed: list[
        int
    ] = []  # an event in one number: a tuple for each would take as long as all else
    tick = status = 0
    try:
        while at < end:
            # The delta: written out here, since it stands before every event.
            byte = data[at]
            at += 1
            if byte < 0x80:
                tick += byte
            elif data[at] < 0x80:
                tick += (byte & 0x7F) << 7 | data[at]
                at += 1
            else:
                delta, at = _variable(data, at - 1, name)
                tick += delta
            byte = data[at]
            if byte < 0x80:
                if not status:
                    raise _damaged(name, at, "an event without its status")
            else:
                at += 1
                if byte < 0xF0:
                    status = byte
                else:
                    at = _other(data, at, byte, tick, track, name)
                    if at > end:
                        raise _damaged(name, end, "an event that goes on behind its track")
                    if track.ended:
                        track.after = end - at
                        break
                    if len(track.metas) + track.system + len(packed) > most:
                        raise _many(name)
                    continue
            first = data[at]
            if 0xC0 <= status < 0xE0:
                at += 1
                second = 0
            else:
                second = data[at + 1]
                at += 2
            if first > 127 or second > 127:
                raise _damaged(name, at - 1, "a number above 127 where a pitch or the like stands")
            packed.append(tick << 24 | status << 16 | first << 8 | second)
            if len(packed) > most:
                raise _many(name)
    except IndexError:
        raise _cut(name, len(data)) from None
    if at > end:
        raise _damaged(name, end, "an event that goes on behind its track")
    track.channel = np.array(packed, np.int64)[:, None] >> SHIFTS & MASKS
    track.end = tick
    return track


def _other(data: bytes, at: int, byte: int, tick: int, track: Events, name: str) -> int:
    """An event of no channel, which begins at `at`; where it ends."""
    if byte == 0xFF:
        kind = data[at]
        size, at = _variable(data, at + 1, name)
        if kind == END_OF_TRACK:
            track.ended = True
        track.metas.append((tick, kind, data[at : at + size]))
        return at + size
    if byte in (0xF0, 0xF7):
        size, at = _variable(data, at, name)
        track.system += 1
        return at + size
    raise _damaged(name, at - 1, f"0x{byte:02x}, which stands in no file")


def _variable(data: bytes, at: int, name: str) -> tuple[int, int]:
    """A number in groups of seven bits, and where it ends."""
    value = 0
    for k in range(VARIABLE):
        byte = data[at + k]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + k + 1
    raise _damaged(name, at, f"a number of more than {VARIABLE} bytes")
