"""What music is copied from the pieces trained on, in any transposition, and where it is from.

A piece is a line of notes by onset, from below. Copied are notes one after the other whose onsets
are as far apart and whose pitches are as far apart as in another line; how long they sound does
not count. So one note is a copy of any, and a copy a third higher is a copy.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elman.data.symbolic.grid import Frames, Grid, to_piece
from elman.data.symbolic.piece import Note, Piece
from elman.data.symbolic.timing import bars
from elman.tasks.text.writing import memorisation as of_texts
from elman.wording import counted

Ints = NDArray[np.int64]

QUARTER = 24  # units of time of a quarter: the finest grid
PITCHES = 128
BEAT_OF_NONE = 4 * QUARTER  # a bar of frames that tell no metre
SPAN = 12  # notes: shorter copies do not count for the share, as any tune shares some
APART = 2  # ids below this stand between lines: 0 in what was trained on, 1 in what was made


@dataclass(frozen=True)
class Line:
    """Notes by onset, then by pitch, and where bars begin, in 24ths of a quarter."""

    name: str
    onsets: Ints  # [N]
    pitches: Ints  # [N]
    bars: Sequence[int]  # ascending; what stands before the first is bar 0, a pickup

    def bar(self, note: int) -> int:
        """The bar, from 1, in which a note begins."""
        return bisect_right(self.bars, int(self.onsets[note]))


@dataclass(frozen=True)
class Memorisation:
    """The longest copy: `notes` notes from a bar of a line trained on to a bar of a line made,
    `semitones` higher there. Of several the first of those trained on. `copied_share` is the share
    of all notes made that stand in copies of `span` notes or more, but for the first of each."""

    notes: int
    quarters: float  # from its first onset to its last
    source: str  # the name of the line that it is from; empty where there is no note
    source_bar: int
    target: str
    target_bar: int
    semitones: int
    span: int
    copied_share: float

    @property
    def line(self) -> str:
        """For the user: "longest copy: 31 notes, 24 quarters, from bar 9 on: bar 5 of …"."""
        if not self.source:
            return "longest copy: none, as there are no notes"
        moved = "in its key"
        if self.semitones:
            moved = f"{counted(abs(self.semitones), 'semitone')} "
            moved += "higher" if self.semitones > 0 else "lower"
        size = f"{counted(self.notes, 'note')}, {counted(round(self.quarters), 'quarter')}"
        return (
            f"longest copy: {size}, from bar {self.target_bar} on: bar {self.source_bar} of "
            f"{self.source}, {moved}; {self.copied_share:.1%} of the notes stand in copies of "
            f"{self.span} or more"
        )


def of_piece(piece: Piece) -> Line:
    """All notes of a piece but drums."""
    notes = [note for track in piece.tracks if not track.is_drum for note in track.notes]
    return _line(piece.name, notes, piece)


def of_voices(piece: Piece) -> list[Line]:
    """A line for each track, so that copies of one voice are found."""
    return [
        _line(f"{piece.name}, voice {k}", track.notes, piece)
        for k, track in enumerate(piece.tracks, 1)
        if track.notes and not track.is_drum
    ]


def of_frames(frames: Frames, grid: Grid) -> Line:
    """The notes of frames, where equal ones of neighbouring frames are one; bars of 4/4 where the
    frames tell no metre. What is compared with this has to come from frames as well."""
    line = of_piece(to_piece(frames, grid))
    unit = QUARTER / grid.per_quarter
    if len(frames.bar) and frames.bar.any():
        begins = np.flatnonzero((frames.place == 0) & (frames.bar > 0))
        return Line(line.name, line.onsets, line.pitches, [round(k * unit) for k in begins])
    return line


def _line(name: str, notes: Sequence[Note], piece: Piece) -> Line:
    unit = QUARTER / piece.division
    placed = sorted({(round(note.start * unit), note.pitch) for note in notes})
    table = np.array(placed, np.int64).reshape(-1, 2)
    return Line(name, table[:, 0], table[:, 1], [round(tick * unit) for tick in bars(piece)])


def memorisation(
    made: Sequence[Line], trained: Sequence[Line], *, span: int = SPAN
) -> Memorisation:
    """Compares what was made with all lines trained on, in about linear time: seconds for a million
    notes. `span` is at least 2."""
    written, at = _ids(made, 1)
    training, at_source = _ids(trained, 0)
    found = of_texts.memorisation(written, _Read(training), span=span - 1)
    if not (len(written) and len(training)):
        return Memorisation(0, 0.0, "", 0, "", 0, 0, span, 0.0)
    target, first = _where(at, found.generated_start, made)
    source, begin = _where(at_source, found.training_start, trained)
    last = first + found.length
    moves = sum(max(len(line.onsets) - 1, 0) for line in made)
    return Memorisation(
        notes=found.length + 1,
        quarters=float(target.onsets[last] - target.onsets[first]) / QUARTER,
        source=source.name,
        source_bar=source.bar(begin),
        target=target.name,
        target_bar=target.bar(first),
        semitones=int(target.pitches[first] - source.pitches[begin]),
        span=span,
        copied_share=found.copied_share * len(written) / moves if moves else 0.0,
    )


def _ids(lines: Sequence[Line], apart: int) -> tuple[Ints, list[int]]:
    """A number for each step from a note to the next, with `apart` after each line; and where each
    line begins among them. A line of n notes has n numbers, the last of which is `apart`."""
    rows, at = [np.zeros(0, np.int64)], [0]
    for line in lines:
        steps = np.diff(line.onsets) * 2 * PITCHES + np.diff(line.pitches) + PITCHES + APART
        rows += [steps, np.full(min(len(line.onsets), 1), apart, np.int64)]
        at.append(at[-1] + len(line.onsets))
    return np.concatenate(rows), at


def _where(at: Sequence[int], place: int, lines: Sequence[Line]) -> tuple[Line, int]:
    k = bisect_right(at, place) - 1
    return lines[k], place - at[k]


@dataclass(frozen=True)
class _Read:
    """Ids as the search of texts reads them."""

    ids: Ints

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, start: int, count: int) -> Ints:
        return self.ids[start : start + count]
