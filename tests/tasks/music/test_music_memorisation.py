"""The longest copy of the pieces trained on: as brute force finds it, in any key, by its bar."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from elman.data.symbolic.grid import Grid, to_frames
from elman.data.symbolic.piece import Metre, Note, Piece, Track
from elman.tasks.music.memorisation import (
    QUARTER,
    Line,
    Memorisation,
    memorisation,
    of_frames,
    of_piece,
    of_voices,
)


def tune(draw: np.random.Generator, notes: int, name: str, *, pitches: int = 3) -> Piece:
    """A piece of chords and notes of few pitches and lengths, so that stretches come again."""
    at, found = 0, set[Note]()
    for _ in range(notes):
        found.add(Note(at, 2, 60 + int(draw.integers(pitches))))
        at += 2 * int(draw.integers(0, 3))
    return Piece(name, 4, (Track(tuple(sorted(found))),), at + 2, metres=(Metre(0, 3, 4),))


def some(draw: np.random.Generator, count: int, notes: int, name: str) -> list[Piece]:
    return [tune(draw, int(draw.integers(0, notes)), f"{name} {k}") for k in range(count)]


def slowly(made: Sequence[Line], trained: Sequence[Line]) -> int:
    """How many notes the longest copy has, by trying every pair of places."""
    best = 0
    for a in made:
        for b in trained:
            x = list(zip(a.onsets.tolist(), a.pitches.tolist(), strict=True))
            y = list(zip(b.onsets.tolist(), b.pitches.tolist(), strict=True))
            for i in range(len(x)):
                for j in range(len(y)):
                    k = 0
                    while (
                        i + k < len(x)
                        and j + k < len(y)
                        and _moved(x[i], x[i + k]) == _moved(y[j], y[j + k])
                    ):
                        k += 1
                    best = max(best, k)
    return best


def _moved(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    return b[0] - a[0], b[1] - a[1]


def is_a_copy(found: Memorisation, made: Sequence[Line], trained: Sequence[Line]) -> bool:
    """Whether there is a copy of that length from that bar to that bar, moved by so much."""
    (a,) = (line for line in made if line.name == found.target)
    (b,) = (line for line in trained if line.name == found.source)
    count = found.notes
    for i in range(len(a.onsets) - count + 1):
        for j in range(len(b.onsets) - count + 1):
            if a.bar(i) != found.target_bar or b.bar(j) != found.source_bar:
                continue
            pitches = a.pitches[i : i + count] - b.pitches[j : j + count]
            apart = np.diff(a.onsets[i : i + count] - b.onsets[j : j + count])
            if (pitches == found.semitones).all() and not apart.any():
                length = (a.onsets[i + count - 1] - a.onsets[i]) / QUARTER
                return bool(length == found.quarters)
    return False


@pytest.mark.parametrize("seed", range(12))
def test_the_longest_copy_is_that_of_brute_force(seed: int) -> None:
    draw = np.random.default_rng(seed)
    made = [of_piece(piece) for piece in some(draw, 3, 15, "made")]
    trained = [of_piece(piece) for piece in some(draw, 4, 25, "trained")]
    found = memorisation(made, trained)
    assert found.notes == slowly(made, trained)
    assert not found.notes or is_a_copy(found, made, trained)


@pytest.mark.parametrize("seed", range(4))
def test_a_stretch_is_found_in_another_key_and_at_another_time(seed: int) -> None:
    draw = np.random.default_rng(seed)
    trained = [tune(draw, 60, f"trained {k}", pitches=20) for k in range(9)]
    source, shift = trained[seed], int(draw.integers(-9, 9))
    stretch = source.tracks[0].notes[20:45]
    later = int(draw.integers(0, 5)) * 7
    copy = tuple(
        note._replace(start=note.start - stretch[0].start + later, pitch=note.pitch + shift)
        for note in stretch
    )
    end = copy[-1].end
    made = Piece("made", 4, (Track(copy),), end, metres=(Metre(0, 4, 4),))
    found = memorisation([of_piece(made)], [of_piece(piece) for piece in trained])
    assert (found.notes, found.source, found.semitones) == (len(stretch), source.name, shift)
    assert found.target_bar == later // 16 + 1 and found.source_bar == stretch[0].start // 12 + 1
    assert found.copied_share == 1
    for semitones in range(12):
        moved = replace(made, tracks=(Track(tuple(_up(note, semitones) for note in copy)),))
        again = memorisation([of_piece(moved)], [of_piece(piece) for piece in trained])
        assert again == replace(found, semitones=shift + semitones)
    direction = "higher" if shift > 0 else "lower" if shift < 0 else "in its key"
    assert f"{len(stretch)} notes" in found.line and direction in found.line


def _up(note: Note, semitones: int) -> Note:
    return note._replace(pitch=note.pitch + semitones)


def test_the_share_counts_notes_in_long_copies_alone() -> None:
    """Of 30 notes 12 are copied; 11 of the 29 steps between notes are theirs."""
    draw = np.random.default_rng(0)
    trained = Piece("t", 4, (Track(tuple(Note(4 * k, 1, 50 + int(draw.integers(30)))
                                         for k in range(40))),), 160)  # fmt: skip
    notes = list(trained.tracks[0].notes[10:22])
    notes += [Note(200 + 3 * k * k, 1, 60) for k in range(18)]
    made = Piece("m", 4, (Track(tuple(notes)),), 2000)
    lines = [of_piece(made)], [of_piece(trained)]
    assert memorisation(*lines, span=12).copied_share == pytest.approx(11 / 29)
    assert memorisation(*lines, span=13).copied_share == 0
    assert memorisation(*lines, span=13).notes == 12


def test_frames_tell_the_same_as_the_pieces_that_they_are_of() -> None:
    draw = np.random.default_rng(1)
    trained = [tune(draw, 50, f"trained {k}", pitches=9) for k in range(5)]
    made = replace(trained[3], name="made")
    grid = Grid(2)
    frames = [of_frames(to_frames(piece, grid), grid) for piece in trained]
    found = memorisation([of_frames(to_frames(made, grid), grid)], frames)
    assert found.source == "trained 3" and found.notes == len(frames[3].onsets)
    assert (found.source_bar, found.target_bar, found.semitones) == (1, 1, 0)
    assert list(frames[3].bars[:4]) == [0, 72, 144, 216], "bars of 3/4"


def test_a_voice_alone_is_found_among_others() -> None:
    draw = np.random.default_rng(2)
    tracks = [tune(draw, 40, "", pitches=12).tracks[0] for _ in range(4)]
    length = max(note.end for track in tracks for note in track.notes)
    trained = Piece("t", 4, (tracks[0], tracks[1]), length, voices=True)
    made = Piece("m", 4, (tracks[2], tracks[1]), length, voices=True)
    whole = memorisation([of_piece(made)], [of_piece(trained)])
    voices = memorisation(of_voices(made), of_voices(trained))
    assert voices.notes == len(tracks[1].notes) > whole.notes
    assert voices.source == "t, voice 2" and voices.target == "m, voice 2"


def test_drums_and_empty_pieces_are_no_notes() -> None:
    drums = Piece("d", 4, (Track((Note(0, 1, 40),), is_drum=True),), 4)
    nothing = memorisation([of_piece(drums)], [of_piece(drums)])
    assert nothing.notes == 0 and nothing.copied_share == 0 and "none" in nothing.line
    one = Piece("one", 4, (Track((Note(0, 1, 40),)),), 4)
    assert memorisation([of_piece(one)], [of_piece(one)]).notes == 1


def test_a_hundred_thousand_notes_take_seconds_at_most() -> None:
    draw = np.random.default_rng(3)
    trained = [_many(draw, 1000, f"t {k}") for k in range(100)]
    made = [_many(draw, 1000, "m"), trained[70]]
    begin = time.process_time()
    found = memorisation(made, trained)
    assert found.notes == 1000 and found.source == "t 70"
    assert time.process_time() - begin < 5


def _many(draw: np.random.Generator, notes: int, name: str) -> Line:
    onsets = np.sort(draw.choice(100_000, notes, replace=False))
    return Line(name, onsets, draw.integers(40, 80, notes), [])
