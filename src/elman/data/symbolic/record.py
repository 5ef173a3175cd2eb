"""A piece as a JSON object, and back.

{"name": "piece", "division": 4, "length": 64, "tempos": [[0, 100.0]], "metres": [[0, 4, 4]],
 "tracks": [{"name": "soprano", "program": 0, "drums": false, "notes": [[0, 4, 67, 80], …]}]}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from elman.data.symbolic.piece import ChordSymbol, Metre, Note, Piece, Tempo, Track
from elman.errors import UserError

LONGEST = 1 << 31  # ticks
MOST_NOTES = 1_000_000
MOST_TRACKS = 1_000


def to_record(piece: Piece) -> dict[str, Any]:
    """Plain values that JSON can hold: notes are start, length, pitch, velocity."""
    return {
        "name": piece.name,
        "division": piece.division,
        "length": piece.length,
        "pickup": piece.pickup,
        "voices": piece.voices,
        "tempos": [list(tempo) for tempo in piece.tempos],
        "metres": [list(metre) for metre in piece.metres],
        "chords": [list(chord) for chord in piece.chords],
        "tracks": [
            {
                "name": track.name,
                "program": track.program,
                "drums": track.is_drum,
                "notes": [list(note) for note in track.notes],
            }
            for track in piece.tracks
        ],
    }


def is_record(value: object) -> bool:
    """Whether JSON looks like a piece that `to_record` gave."""
    return isinstance(value, Mapping) and {"division", "tracks"} <= value.keys()


def from_record(value: Mapping[str, Any], name: str) -> Piece:
    """The piece. UserError: it is damaged; `name` says where it came from."""
    try:
        return _piece(value, name)
    except (KeyError, TypeError, ValueError) as error:
        told = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(f"{name}: is no piece in JSON ({told})") from None


def _piece(value: Mapping[str, Any], name: str) -> Piece:
    length = _whole(value["length"], 0, LONGEST, "length")
    parts = _rows(value["tracks"], MOST_TRACKS, "tracks")
    tracks = tuple(_track(part, length) for part in parts)
    if sum(len(track.notes) for track in tracks) > MOST_NOTES:
        raise ValueError(f"more than {MOST_NOTES:,} notes")
    tempos = _rows(value.get("tempos", []), MOST_NOTES, "tempos")
    metres = _rows(value.get("metres", []), MOST_NOTES, "metres")
    chords = _rows(value.get("chords", []), MOST_NOTES, "chords")
    return Piece(
        name,
        _whole(value["division"], 1, 1 << 15, "division"),
        tracks,
        length,
        tuple(Tempo(_tick(t), _number(q, 1, 10_000, "tempo")) for t, q in tempos),
        tuple(
            Metre(_tick(t), _whole(b, 1, 255, "beats"), _whole(u, 1, 1 << 10, "unit"))
            for t, b, u in metres
        ),
        tuple(ChordSymbol(_tick(t), str(symbol)[:40]) for t, symbol in chords),
        _whole(value.get("pickup", 0), 0, length, "pickup"),
        bool(value.get("voices", False)),
    )


def _track(value: Any, length: int) -> Track:
    notes: list[Note] = []
    ends = dict[int, int]()
    for row in _rows(value["notes"], MOST_NOTES, "notes"):
        start, lasts, pitch, velocity = row
        note = Note(
            _tick(start),
            _whole(lasts, 1, LONGEST, "length of a note"),
            _whole(pitch, 0, 127, "pitch"),
            _whole(velocity, 1, 127, "velocity"),
        )
        after = (notes[-1].start, notes[-1].pitch) if notes else (-1, -1)
        if note.end > length or note.start < ends.get(note.pitch, 0) or note[0:3:2] <= after:
            raise ValueError("notes out of order, or beyond the end")
        ends[note.pitch] = note.end
        notes.append(note)
    program = _whole(value.get("program", 0), 0, 127, "program")
    return Track(tuple(notes), program, bool(value.get("drums")), str(value.get("name", ""))[:200])


def _rows(value: Any, most: int, what: str) -> Sequence[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise ValueError(f"{what}: needs a list of at most {most:,}")
    return value


def _tick(value: Any) -> int:
    return _whole(value, 0, LONGEST, "tick")


def _whole(value: Any, low: int, high: int, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{what}: needs a whole number from {low} to {high:,}")
    return value


def _number(value: Any, low: float, high: float, what: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{what}: needs a number from {low:g} to {high:,.0f}")
    return float(value)
