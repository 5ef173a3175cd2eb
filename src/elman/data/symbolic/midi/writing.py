"""Pieces as MIDI files of format 1: tempos, metres, key and chords in a first track, then each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from elman.data.symbolic.midi.chunks import END_OF_TRACK, HEADER, TRACK
from elman.data.symbolic.midi.reading import CHORD, DRUMS, FINEST, KEY, METRE, NAME, TEMPO, TEXT
from elman.data.symbolic.piece import Metre, Piece, Track
from elman.data.symbolic.theory import keys
from elman.data.symbolic.timing import COMMON_TIME
from elman.errors import UserError

CHANNELS: Final = tuple(channel for channel in range(16) if channel != DRUMS)
MOST_TICKS: Final = 0x7FFF  # a quarter, as a header can tell
LONGEST_TEMPO: Final = 0xFFFFFF  # microseconds of a quarter
MOST_BEATS: Final = 255

Event = tuple[int, int, bytes]  # tick, order among those of one tick, bytes


def write_midi(piece: Piece) -> bytes:
    """A MIDI file that `read_midi` reads as the same piece, but for its name, its part, whether its
    tracks are voices, and tracks without notes. More than 15 tracks share channels.

    A pickup is a first bar in a metre of its own, or where there is none a metre told twice.
    UserError: a division or a tempo that MIDI cannot tell.
    """
    if not 1 <= piece.division <= MOST_TICKS:
        raise UserError(
            f"{piece.name}: {piece.division:,} ticks a quarter cannot be written as MIDI; "
            f"1 to {MOST_TICKS:,} can"
        )
    chunks = [_chunk(_conductor(piece), piece.length)]
    free = 0
    for track in piece.tracks:
        channel = DRUMS if track.is_drum else CHANNELS[free % len(CHANNELS)]
        free += not track.is_drum
        chunks.append(_chunk(_played(track, channel), piece.length))
    header = b"".join(n.to_bytes(2, "big") for n in (1, len(chunks), piece.division))
    return HEADER + len(header).to_bytes(4, "big") + header + b"".join(chunks)


def _conductor(piece: Piece) -> Iterable[Event]:
    key = keys.read(piece.key) if piece.key else None
    if key is not None and key.mode in ("major", "minor"):
        yield (
            0,
            0,
            _meta(KEY, key.sharps.to_bytes(1, "big", signed=True) + _bit(key.mode == "minor")),
        )
    for tick, per_minute in piece.tempos:
        microseconds = round(60e6 / per_minute) if per_minute > 0 else 0
        if not 1 <= microseconds <= LONGEST_TEMPO:
            raise UserError(
                f"{piece.name}: {per_minute:g} quarters a minute cannot be written as MIDI; "
                "4 to 60,000,000 can"
            )
        yield tick, 1, _meta(TEMPO, microseconds.to_bytes(3, "big"))
    for tick, beats, unit in _metres(piece):
        yield tick, 2, _meta(METRE, bytes([beats, unit.bit_length() - 1, 24, 8]))
    for tick, symbol in piece.chords:
        yield tick, 3, _meta(TEXT, CHORD + symbol.encode())


def _metres(piece: Piece) -> Sequence[Metre]:
    """Those of the piece that MIDI can tell, with one for the pickup."""
    metres = [
        metre
        for metre in piece.metres
        if 1 <= metre.beats <= MOST_BEATS and metre.unit in [1 << k for k in range(FINEST + 1)]
    ]
    if not piece.pickup:
        return metres
    first = metres[0] if metres else COMMON_TIME
    short = first._replace(tick=0)
    for unit in (1 << k for k in range(FINEST + 1)):
        beats, rest = divmod(piece.pickup * unit, 4 * piece.division)
        if not rest and 1 <= beats <= MOST_BEATS:
            short = Metre(0, beats, unit)
            break
    return [short, first._replace(tick=piece.pickup), *metres[1:]]


def _bit(is_set: bool) -> bytes:
    return b"\1" if is_set else b"\0"


def _played(track: Track, channel: int) -> Iterable[Event]:
    if track.name:
        yield 0, 0, _meta(NAME, track.name.encode())
    yield 0, 1, bytes([0xC0 | channel, track.program])
    for start, length, pitch, velocity in track.notes:
        yield start, 3, bytes([0x90 | channel, pitch, velocity])
        yield start + length, 2, bytes([0x80 | channel, pitch, 0])  # before what begins then


def _meta(kind: int, data: bytes) -> bytes:
    return bytes([0xFF, kind]) + _variable(len(data)) + data


def _chunk(events: Iterable[Event], end: int) -> bytes:
    """A track that ends at the tick `end`, or with its last event."""
    body, at = bytearray(), 0
    for tick, _, data in sorted(events, key=lambda event: event[:2]):
        body += _variable(tick - at) + data
        at = tick
    body += _variable(max(end - at, 0)) + _meta(END_OF_TRACK, b"")
    return TRACK + len(body).to_bytes(4, "big") + bytes(body)


def _variable(value: int) -> bytes:
    """A number in groups of seven bits, the highest first, all but the last marked."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(groups[::-1])
