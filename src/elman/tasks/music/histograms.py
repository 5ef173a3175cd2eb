"""What music is made of, in four histograms, and how much those of two sets of pieces overlap.

pitch class    C, C#, … B                 by how long it sounds
interval       -12 … 12 semitones         from a note of a voice to the next
duration       1/8 … 4 quarters           of notes
polyphony      0 … 8 notes                that sound at a time, by how long
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from elman.data.symbolic.piece import Note, Piece

Floats = NDArray[np.float64]

CLASSES: Final = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
WIDEST: Final = 12  # semitones; wider moves count with the one beyond it
MOST: Final = 8  # notes at a time; more count as these
DURATIONS: Final = (
    Fraction(1, 8), Fraction(1, 6), Fraction(1, 4), Fraction(1, 3), Fraction(1, 2), Fraction(2, 3),
    Fraction(3, 4), Fraction(1), Fraction(4, 3), Fraction(3, 2), Fraction(2), Fraction(3),
    Fraction(4), Fraction(6), Fraction(8),
)  # fmt: skip
"""Lengths in quarters; every note counts as the nearest, by ratio."""
NAMES: Final = ("pitch class", "interval", "duration", "polyphony")


@dataclass(frozen=True)
class Histogram:
    """`shares` [K] of what `labels` name; they add up to one, or are 0 where there was nothing."""

    name: str
    labels: tuple[str, ...]
    shares: Floats
    count: float  # what was counted: quarters for pitch class and polyphony, else notes or moves

    def overlap(self, other: Histogram) -> float:
        """The area that both have, 0 to 1 (Yang and Lerch 2020, doi:10.1007/s00521-018-3849-7)."""
        if self.labels != other.labels:
            raise ValueError(f"histograms of {self.name} and {other.name} are of other things")
        return float(np.minimum(self.shares, other.shares).sum())


def histograms(pieces: Sequence[Piece]) -> dict[str, Histogram]:
    """All four, by name. Drums are left aside."""
    return {
        "pitch class": _histogram("pitch class", CLASSES, _classes(pieces)),
        "interval": _histogram("interval", _interval_labels(), _intervals(pieces)),
        "duration": _histogram("duration", tuple(map(str, DURATIONS)), _durations(pieces)),
        "polyphony": _histogram("polyphony", _polyphony_labels(), _polyphony(pieces)),
    }


def overlaps(one: Mapping[str, Histogram], two: Mapping[str, Histogram]) -> dict[str, float]:
    """The overlap of each histogram of two sets of pieces."""
    return {name: one[name].overlap(two[name]) for name in one if name in two}


def _histogram(name: str, labels: tuple[str, ...], counts: Floats) -> Histogram:
    total = float(counts.sum())
    return Histogram(name, labels, counts / total if total else counts, total)


def _interval_labels() -> tuple[str, ...]:
    inner = [f"{step:+d}" if step else "0" for step in range(-WIDEST, WIDEST + 1)]
    return (f"<-{WIDEST}", *inner, f">+{WIDEST}")


def _polyphony_labels() -> tuple[str, ...]:
    return (*map(str, range(MOST)), f"{MOST} or more")


def _pitched(piece: Piece) -> list[tuple[Note, ...]]:
    return [track.notes for track in piece.tracks if track.notes and not track.is_drum]


def _classes(pieces: Sequence[Piece]) -> Floats:
    counts = np.zeros(12)
    for piece in pieces:
        for notes in _pitched(piece):
            for note in notes:
                counts[note.pitch % 12] += note.length / piece.division
    return counts


def _intervals(pieces: Sequence[Piece]) -> Floats:
    """Of the highest notes of each track, from one onset to the next."""
    counts = np.zeros(2 * WIDEST + 3)
    for piece in pieces:
        for notes in _pitched(piece):
            for a, b in pairwise(_highest(notes)):
                counts[min(max(b - a, -WIDEST - 1), WIDEST + 1) + WIDEST + 1] += 1
    return counts


def _highest(notes: Sequence[Note]) -> Iterator[int]:
    for _, together in groupby(notes, attrgetter("start")):
        yield max(note.pitch for note in together)


def _durations(pieces: Sequence[Piece]) -> Floats:
    found = Counter(
        Fraction(note.length, piece.division)
        for piece in pieces
        for notes in _pitched(piece)
        for note in notes
    )
    counts = np.zeros(len(DURATIONS))
    for length, count in found.items():
        ratios = [max(length / one, one / length) for one in DURATIONS]
        counts[ratios.index(min(ratios))] += count
    return counts


def _polyphony(pieces: Sequence[Piece]) -> Floats:
    """For how many quarters so many notes sound; what sounds twice at once is one note."""
    counts = np.zeros(MOST + 1)
    for piece in pieces:
        changes = Counter[int]()
        for start, end in _sounding(piece):
            changes[start] += 1
            changes[end] -= 1
        sounding = 0
        times = sorted({0, piece.length, *changes})
        for begin, end in pairwise(times):
            sounding += changes[begin]
            counts[min(sounding, MOST)] += (end - begin) / piece.division
    return counts


def _sounding(piece: Piece) -> Iterator[tuple[int, int]]:
    """Where each pitch begins and ends to sound, whatever track has it."""
    every = [note for notes in _pitched(piece) for note in notes]
    for _, same in groupby(sorted(every, key=attrgetter("pitch", "start")), attrgetter("pitch")):
        begin, end = -1, -1
        for note in same:
            if note.start > end or begin < 0:
                if begin >= 0:
                    yield begin, end
                begin, end = note.start, note.end
            end = max(end, note.end)
        yield begin, end
