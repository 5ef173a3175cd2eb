"""Pieces on a grid: which notes sound in each step, and what is lost by that.

Grid(2): an eighth a step. A note from the 240th to the 470th of 480 ticks a quarter sounds in step
1 alone: its end was moved by 10 ticks. Two notes of a pitch, one right after the other, are one
note on the grid: they are joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from elman.data.symbolic import arrays
from elman.data.symbolic.arrays import Ints
from elman.data.symbolic.piece import LOUDNESS, Note, Piece, Track
from elman.data.symbolic.timing import bar_ticks
from elman.wording import counted

Bools = NDArray[np.bool_]
Voices = NDArray[np.int16]

PITCHES = 128
SILENT = -1  # of a voice that has no note
CHOICES = (1, 2, 3, 4, 6, 8, 12, 24)  # steps a quarter
KEPT = 0.99  # of onsets, and of ends, that the chosen grid has to keep
NEAR = 0.01  # quarters by which a time may miss the grid and be kept: notes may end a tick early


@dataclass(frozen=True)
class Grid:
    """So many steps of equal length a quarter."""

    per_quarter: int

    @property
    def shown(self) -> str:
        """ "eighths (2 steps a quarter)", "24 steps a quarter"."""
        name = {1: "quarters", 2: "eighths", 4: "16ths", 8: "32nds"}.get(self.per_quarter)
        steps = f"{counted(self.per_quarter, 'step')} a quarter"
        return f"{name} ({steps})" if name else steps


@dataclass(frozen=True)
class Lost:
    """What frames do not tell of the notes of pieces. Of `notes`, `drums` are left out; `joined`
    begin in the step in which one of the same pitch ends or still sounds; `covered` are too short
    for the grid, and the next of their voice stands in their step. The others are notes again after
    `to_piece`. `moved` of all began or ended more than `NEAR` off the grid."""

    notes: int = 0
    moved: int = 0
    joined: int = 0
    covered: int = 0
    drums: int = 0

    @property
    def kept(self) -> int:
        """The notes that the frames hold."""
        return self.notes - self.joined - self.covered - self.drums

    def __add__(self, other: Lost) -> Lost:
        return Lost(
            self.notes + other.notes, self.moved + other.moved, self.joined + other.joined,
            self.covered + other.covered, self.drums + other.drums,
        )  # fmt: skip

    def lines(self) -> list[str]:
        """For the user; nothing of what did not happen."""
        return [
            line
            for count, line in (
                (self.moved, f"{counted(self.moved, 'note')} of {self.notes:,} moved to the grid"),
                (self.joined, f"{counted(self.joined, 'note')} joined to one of the same pitch"),
                (
                    self.covered,
                    f"{counted(self.covered, 'note')} too short for the grid, covered by the next",
                ),
                (self.drums, f"{counted(self.drums, 'drum hit')} left out: frames hold pitches"),
            )
            if count
        ]


NOTHING = Lost()


@dataclass(frozen=True)
class Frames:
    """A piece step by step: `notes` [T, 128], which pitches sound; or `voices` [T, V], the pitch of
    each voice, the highest voice first, `SILENT` where it has none. One of them is None."""

    name: str
    notes: Bools | None = None
    voices: Voices | None = None
    place: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # see `places`
    bar: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    lost: Lost = NOTHING
    part: str = ""

    def __len__(self) -> int:
        return len(self.sounding if self.voices is None else self.voices)

    @cached_property
    def sounding(self) -> Bools:
        """[T, 128]: which pitches sound in each step, whatever voice has them."""
        if self.notes is not None:
            return self.notes
        assert self.voices is not None
        roll = np.zeros((len(self.voices), PITCHES), bool)
        steps, voices = np.nonzero(self.voices >= 0)
        roll[steps, self.voices[steps, voices]] = True
        return roll


@dataclass(frozen=True)
class Chosen:
    """A grid, and what is lost on it: shares of the notes that begin and that end off the grid."""

    grid: Grid
    off_onsets: float
    off_ends: float
    fits: bool  # whether 99 % of both are kept; else it is the finest

    @property
    def line(self) -> str:
        """For the user."""
        told = f"grid: {self.grid.shown}"
        if not (self.off_onsets or self.off_ends):
            return f"{told}: every note begins and ends on it"
        ends = "" if self.fits else "; no grid keeps 99 %: read as events, nothing would be lost"
        return (
            f"{told}: {self.off_onsets:.2%} of the notes begin and {self.off_ends:.2%} end off "
            f"it and are moved{ends}"
        )


def choose(pieces: Sequence[Piece]) -> Chosen:
    """The coarsest grid that keeps 99 % of the onsets and of the ends of all pieces, within a
    hundredth of a quarter; the finest where none does."""
    chosen = Chosen(Grid(CHOICES[-1]), 0.0, 0.0, fits=True)
    times = _by_division(pieces)
    total = max(sum(len(start) for _, start, _ in times), 1)
    for per_quarter in CHOICES:
        off = [
            (_off(start, division, per_quarter).sum(), _off(end, division, per_quarter).sum())
            for division, start, end in times
        ]
        onsets, ends = (float(sum(column)) / total for column in zip(*off, strict=True))
        fits = onsets <= 1 - KEPT and ends <= 1 - KEPT
        chosen = Chosen(Grid(per_quarter), onsets, ends, fits)
        if fits:
            break
    return chosen


def steps_of(piece: Piece, grid: Grid) -> int:
    """How many steps a piece has: all of its length, the last one begun counted whole."""
    return -(-piece.length * grid.per_quarter // piece.division)


def to_frames(piece: Piece, grid: Grid) -> Frames:
    """A piece as frames: voices of a piece of voices, else a roll of all tracks but drums.

    A time goes to the nearest step, one in the middle to the later; a note lasts a step at least.
    """
    steps = steps_of(piece, grid)
    place, bar = places(piece, grid)
    if piece.voices:
        voices = np.full((steps, len(piece.tracks)), SILENT, np.int16)
        lost = NOTHING
        for column, track in zip(voices.T, piece.tracks, strict=True):
            lost += _sing(track, piece, grid, column)
        return Frames(piece.name, None, voices, place, bar, lost, piece.part)
    drums = sum(len(track.notes) for track in piece.tracks if track.is_drum)
    roll, lost = _roll([t for t in piece.tracks if not t.is_drum], piece, grid, steps)
    lost += Lost(notes=drums, drums=drums)
    return Frames(piece.name, roll, None, place, bar, lost, piece.part)


def to_piece(frames: Frames, grid: Grid) -> Piece:
    """Frames as a piece, a tick a step; equal notes in neighbouring frames are one note."""
    steps, division = len(frames), grid.per_quarter
    if frames.voices is None:
        tracks: tuple[Track, ...] = (Track(_notes(frames.sounding)),)
    else:
        pitches = np.arange(PITCHES)
        tracks = tuple(Track(_notes(voice[:, None] == pitches)) for voice in frames.voices.T)
    voices = frames.voices is not None
    return Piece(frames.name, division, tracks, steps, voices=voices, part=frames.part)


def places(piece: Piece, grid: Grid) -> tuple[Ints, Ints]:
    """Where in its bar every step is, from 0, and how many steps its bar has, both [T].

    Both are 0 where the piece tells no metre. A pickup is the end of a bar.
    """
    steps = steps_of(piece, grid)
    place, bar = np.zeros(steps, np.int64), np.zeros(steps, np.int64)
    if not piece.metres:
        return place, bar
    ticks = np.array([0, *(m.tick for m in piece.metres[1:])], np.int64)
    begins = [*_nearest(ticks, piece.division, grid.per_quarter).tolist(), steps]
    pickup = int(_nearest(np.array([piece.pickup]), piece.division, grid.per_quarter)[0])
    for k, metre in enumerate(piece.metres):
        length = max(round(bar_ticks(grid.per_quarter, metre)), 1)
        begin, end = begins[k], begins[k + 1]
        place[begin:end] = (np.arange(end - begin) - (0 if k else pickup)) % length
        bar[begin:end] = length
    return place, bar


def _by_division(pieces: Sequence[Piece]) -> list[tuple[int, Ints, Ints]]:
    """Where all notes begin and end, together for pieces whose ticks are alike."""
    times: dict[int, list[tuple[Ints, Ints]]] = {}
    for piece in pieces:
        times.setdefault(piece.division, []).append(_times(piece))
    found = []
    for division, listed in times.items():
        starts, ends = zip(*listed, strict=True)
        found.append((division, np.concatenate(starts), np.concatenate(ends)))
    return found


def _times(piece: Piece) -> tuple[Ints, Ints]:
    """Where the notes that are no drums begin and end, in ticks."""
    notes = [note for track in piece.tracks if not track.is_drum for note in track.notes]
    table = arrays.table(notes)
    return table[:, 0], table[:, :2].sum(1)


def _nearest(ticks: Ints, division: int, per_quarter: int) -> Ints:
    """The nearest step; the later one of two."""
    return (2 * ticks * per_quarter + division) // (2 * division)


def _off(ticks: Ints, division: int, per_quarter: int) -> Bools:
    """Which times lie more than `NEAR` off the nearest step."""
    return _missed(ticks, _nearest(ticks, division, per_quarter), division, per_quarter)


def _missed(ticks: Ints, steps: Ints, division: int, per_quarter: int) -> Bools:
    found: Bools = abs(steps * division - ticks * per_quarter) > NEAR * division * per_quarter
    return found


def _placed(tracks: Sequence[Track], piece: Piece, grid: Grid, steps: int) -> tuple[Ints, int]:
    """First step, step after the last, and pitch of every note [N, 3], and how many were moved."""
    notes = [note for track in tracks for note in track.notes]
    start, length, pitch, _ = arrays.table(notes).T
    division, per_quarter = piece.division, grid.per_quarter
    first = np.minimum(_nearest(start, division, per_quarter), steps - 1)
    end = np.maximum(_nearest(start + length, division, per_quarter), first + 1)
    moved = _missed(start, first, division, per_quarter)
    moved |= _missed(start + length, end, division, per_quarter)
    return np.stack([first, end, pitch], 1), int(moved.sum())


def _roll(tracks: Sequence[Track], piece: Piece, grid: Grid, steps: int) -> tuple[Bools, Lost]:
    """Which pitches of the tracks sound [T, 128], and what is lost by that."""
    placed, moved = _placed(tracks, piece, grid, steps)
    first, end, pitch = placed.T
    change = np.zeros((steps + 1, PITCHES), np.int16)  # how many begin less how many end
    np.add.at(change, (first, pitch), 1)
    np.add.at(change, (end, pitch), -1)
    roll = np.cumsum(change[:-1], 0, dtype=np.int16) > 0
    joined = len(placed) - int(_begins(roll).sum())
    return roll, Lost(len(placed), moved, joined)


def _sing(track: Track, piece: Piece, grid: Grid, voice: Voices) -> Lost:
    """Writes a track into a voice [T], where each note ends with the next; what is lost."""
    placed, moved = _placed((track,), piece, grid, len(voice))
    first, end, pitch = placed.T
    end = np.minimum(end, np.append(first[1:], len(voice)))
    kept = end > first
    for a, b, p in zip(first[kept], end[kept], pitch[kept], strict=True):
        voice[a:b] = p
    before = np.append(SILENT, voice[:-1])
    begun = int(((voice != before) & (voice != SILENT)).sum())
    covered = int((~kept).sum())
    return Lost(len(placed), moved, len(placed) - covered - begun, covered)


def _begins(roll: Bools) -> Bools:
    """Where a pitch sounds that did not sound in the step before."""
    before = np.zeros_like(roll)
    before[1:] = roll[:-1]
    begins: Bools = roll & ~before
    return begins


def _notes(roll: Bools) -> tuple[Note, ...]:
    """The notes of a roll [T, 128]: each as long as its pitch goes on without a break."""
    edges = np.zeros((PITCHES, len(roll) + 2), np.int8)
    edges[:, 1:-1] = roll.T
    change = np.diff(edges, axis=1)  # by pitch, so that the k-th beginning has the k-th end
    pitch, first = np.nonzero(change > 0)
    _, end = np.nonzero(change < 0)
    rows = np.stack([first, end - first, pitch, np.full(len(first), LOUDNESS)], 1)
    return arrays.notes(rows[np.lexsort((pitch, first))])
