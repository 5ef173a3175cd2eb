"""A piece of music as notes: what every reader gives and every writer takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

MIDDLE_C = 60
LOUDNESS = 80
"""The velocity of notes whose source tells none."""


class Note(NamedTuple):
    """One note. Times are ticks of its piece; a note sounds in [start, start + length)."""

    start: int  # at least 0
    length: int  # at least 1
    pitch: int  # 0 to 127, as in MIDI: 60 is the middle C, one more is a semitone higher
    velocity: int = LOUDNESS  # 1 to 127

    @property
    def end(self) -> int:
        return self.start + self.length


class Tempo(NamedTuple):
    """From `tick` on, so many quarters a minute."""

    tick: int
    quarters_per_minute: float


class Metre(NamedTuple):
    """From `tick` on, bars of `beats` notes of 1/`unit`: 6/8 has beats 6 and unit 8."""

    tick: int
    beats: int
    unit: int


class ChordSymbol(NamedTuple):
    """A chord written above the notes from `tick` on, as it is spelt: "Am", "G7", "F/a"."""

    tick: int
    symbol: str


@dataclass(frozen=True)
class Track:
    """Notes of one instrument or voice, by start, then by pitch; no two of one pitch overlap."""

    notes: tuple[Note, ...]
    program: int = 0  # 0 to 127, as in General MIDI; 0 is a piano
    is_drum: bool = False
    name: str = ""


@dataclass(frozen=True)
class Piece:
    """A piece. `division` ticks are a quarter; it lasts `length` ticks, silence at its end too.

    `pickup` ticks stand before the first whole bar. With `voices` the tracks are voices, one note
    at a time each, the highest first. `part` is train, valid or test where the source says so.
    """

    name: str  # where it comes from: "tunes.abc, X:3"
    division: int  # at least 1
    tracks: tuple[Track, ...]
    length: int
    tempos: tuple[Tempo, ...] = ()  # by tick; without any, 120 a minute
    metres: tuple[Metre, ...] = ()  # by tick; without any, 4/4
    chords: tuple[ChordSymbol, ...] = ()
    pickup: int = 0
    voices: bool = False
    part: str = ""
    key: str = field(default="", compare=False)  # as the source says: "Em"; empty where it does not

    @property
    def count(self) -> int:
        """How many notes."""
        return sum(len(track.notes) for track in self.tracks)
