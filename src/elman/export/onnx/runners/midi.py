"""Steps of pitches as a MIDI file."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

LOUD = 80  # velocity
TICKS = 480  # of a quarter
DRUMS = 9  # the channel that has them; voices stay below it

Frames = Sequence[Sequence["int | None"]]


def midi(
    frames: Frames, per_quarter: int, metre: tuple[int, int], tempo: float, *, voices: bool
) -> bytes:
    """A file of one track; a pitch that sounds in neighbouring steps is one note. Of `voices` each
    has its own notes and its own channel. `tempo` in quarters a minute."""
    beats, unit = metre
    events = [
        (0, 0, b"\xff\x51\x03" + round(60e6 / tempo).to_bytes(3, "big")),
        (0, 0, bytes([0xFF, 0x58, 4, beats, unit.bit_length() - 1, 24, 8])),
    ]
    for first, end, voice, pitch in notes(frames, voices=voices):
        start, stop = (round(step * TICKS / per_quarter) for step in (first, end))
        channel = voice % DRUMS
        events += [(start, 2, bytes([0x90 + channel, pitch, LOUD])),
                   (stop, 1, bytes([0x80 + channel, pitch, 0]))]  # fmt: skip
    track, before = b"", 0
    for tick, _, event in sorted(events, key=lambda event: event[:2]):  # ends before beginnings
        track, before = track + length(tick - before) + event, tick
    track += b"\x00\xff\x2f\x00"
    head = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, TICKS)
    return head + struct.pack(">4sI", b"MTrk", len(track)) + track


def notes(frames: Frames, *, voices: bool) -> Iterator[tuple[int, int, int, int]]:
    """Of each note the step at which it begins, that at which it has ended, its voice and pitch."""
    sounding: dict[tuple[int, int], int] = {}
    for step, frame in enumerate([*frames, []]):
        now = {(voice if voices else 0, pitch)
               for voice, pitch in enumerate(frame) if pitch is not None}  # fmt: skip
        for key in [key for key in sounding if key not in now]:
            yield sounding.pop(key), step, *key
        for key in now:
            sounding.setdefault(key, step)


def length(ticks: int) -> bytes:
    """A number in pieces of seven bits, the last without a mark."""
    found = [ticks & 0x7F]
    while ticks := ticks >> 7:
        found.append(ticks & 0x7F | 0x80)
    return bytes(reversed(found))
