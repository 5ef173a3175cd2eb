"""MIDI files made byte by byte, and pieces drawn at random."""

from __future__ import annotations

import random

from elman.data.symbolic.piece import ChordSymbol, Metre, Note, Piece, Tempo, Track

END = b"\x00\xff\x2f\x00"


def variable(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))


def event(delta: int, *data: int) -> bytes:
    return variable(delta) + bytes(data)


def on(delta: int, pitch: int, velocity: int = 64, channel: int = 0) -> bytes:
    return event(delta, 0x90 | channel, pitch, velocity)


def off(delta: int, pitch: int, channel: int = 0) -> bytes:
    return event(delta, 0x80 | channel, pitch, 0)


def meta(delta: int, kind: int, data: bytes) -> bytes:
    return variable(delta) + bytes([0xFF, kind]) + variable(len(data)) + data


def chunk(*events: bytes, end: bytes = END) -> bytes:
    body = b"".join(events) + end
    return b"MTrk" + len(body).to_bytes(4, "big") + body


def header(tracks: int, division: bytes = b"\x01\xe0", form: int = 1) -> bytes:
    return (
        b"MThd\0\0\0\6" + form.to_bytes(2, "big") + tracks.to_bytes(2, "big") + division
    )  # fmt: skip


def midi(*tracks: bytes, division: bytes = b"\x01\xe0", form: int = 1) -> bytes:
    return header(len(tracks), division, form) + b"".join(tracks)


def of(*events: bytes) -> bytes:
    """A file of one track."""
    return midi(chunk(*events))


def a_track(draw: random.Random, length: int, *, is_drum: bool = False) -> Track:
    """Notes of which no two of a pitch overlap, some of which touch; at least one."""
    notes = []
    for pitch in draw.sample(range(128), draw.randint(1, 6)):
        at = draw.randrange(length)
        while at < length:
            lasts = draw.randint(1, length - at)
            notes.append(Note(at, lasts, pitch, draw.randint(1, 127)))
            at += lasts + draw.choice((0, 0, draw.randrange(length)))
    notes.sort(key=lambda note: (note.start, note.pitch))
    name = draw.choice(("", "Flöte", "琵琶", "a, b"))
    return Track(tuple(notes), draw.randrange(128), is_drum, name)


def a_piece(draw: random.Random) -> Piece:
    """A piece that MIDI can tell all of."""
    division = draw.choice((1, 4, 24, 96, 480, 1024))
    length = draw.randint(1, 24 * division)
    tracks = tuple(
        a_track(draw, length, is_drum=draw.random() < 0.2) for _ in range(draw.randint(1, 20))
    )
    ticks = sorted(draw.sample(range(1, length + 1), min(draw.randrange(4), length)))
    tempos = [60e6 / draw.randint(1, 0xFFFFFF) for _ in ticks]
    metres = [Metre(0, draw.randint(1, 12), draw.choice((2, 4, 8)))][: draw.randrange(2)]
    bar = 4 * division * metres[0].beats // metres[0].unit if metres else 0
    most = min(bar, length)
    pickup = draw.randrange(1, most) if most > 1 and draw.random() < 0.4 else 0
    if metres and not pickup and length > bar + 1:  # a first bar alone would be a pickup
        metres.append(Metre(draw.randint(bar + 1, length), 13, 16))
    return Piece(
        "x", division, tracks, length, tuple(map(Tempo, ticks, tempos)), tuple(metres),
        tuple(ChordSymbol(tick, draw.choice(("Am", "F♯7", "C/e"))) for tick in ticks), pickup,
        key=draw.choice(("", "C", "Em", "Bb", "F#m", "Ebm")),
    )  # fmt: skip
