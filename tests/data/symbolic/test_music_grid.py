"""Grids: frames and notes tell the same, and what is lost between them is counted to the note."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from midi_bytes import a_piece

from elman.data.symbolic.grid import (
    CHOICES,
    NOTHING,
    SILENT,
    Frames,
    Grid,
    Lost,
    choose,
    places,
    steps_of,
    to_frames,
    to_piece,
)  # fmt: skip
from elman.data.symbolic.piece import Metre, Note, Piece, Track
from elman.data.symbolic.reading import read
from elman.data.tables.content import BadRows

SHARED = Path(__file__).parents[4] / "shared" / "data" / "music"


@pytest.mark.parametrize("seed", range(12))
def test_frames_are_the_same_after_they_were_notes(seed: int) -> None:
    draw = np.random.default_rng(seed)
    steps, grid = int(draw.integers(1, 60)), Grid(int(draw.choice(CHOICES)))
    roll = draw.random((steps, 128)) < draw.choice([0.02, 0.5, 0.98])
    frames = Frames("x", roll, None)
    again = to_frames(to_piece(frames, grid), grid)
    assert again.notes is not None and np.array_equal(again.notes, roll)
    assert again.lost == Lost(notes=again.lost.kept)

    voices = draw.integers(58, 62, (steps, int(draw.integers(1, 6)))).astype(np.int16)
    voices[draw.random(voices.shape) < 0.3] = SILENT
    again = to_frames(to_piece(Frames("x", None, voices), grid), grid)
    assert again.voices is not None and np.array_equal(again.voices, voices)
    assert again.lost == Lost(notes=again.lost.kept)


def sounds(piece: Piece) -> set[tuple[int, int]]:
    """Step and pitch of all that sounds, of a piece with a tick a step."""
    return {
        (step, note.pitch)
        for track in piece.tracks if not track.is_drum
        for note in track.notes
        for step in range(note.start, note.end)
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_pieces_on_the_grid_sound_the_same_and_what_is_joined_is_counted(seed: int) -> None:
    draw = random.Random(seed)
    piece = a_piece(draw)
    grid = Grid(piece.division)
    frames = to_frames(piece, grid)
    again = to_piece(frames, grid)
    assert sounds(again) == sounds(piece)
    drums = sum(len(track.notes) for track in piece.tracks if track.is_drum)
    heard = sounds(piece)
    runs = sum((step - 1, pitch) not in heard for step, pitch in heard)  # where it begins
    assert frames.lost == Lost(piece.count, 0, piece.count - drums - runs, 0, drums)
    assert again.count == frames.lost.kept == runs
    assert len(frames) == piece.length == again.length


@pytest.mark.parametrize("seed", range(20))
def test_on_any_grid_the_counts_add_up(seed: int) -> None:
    draw = random.Random(seed)
    piece, grid = a_piece(draw), Grid(draw.choice(CHOICES))
    frames = to_frames(piece, grid)
    assert frames.lost.notes == piece.count and to_piece(frames, grid).count == frames.lost.kept
    voice = Track(tuple(sorted(Note(at, 1, draw.randrange(60, 63)) for at in range(0, 40, 3))))
    sung = Piece("x", 7, (voice, voice), 45, voices=True)
    frames = to_frames(sung, grid)
    assert to_piece(frames, grid).count == frames.lost.kept
    assert frames.lost.notes == sung.count == 28


def test_what_was_moved_joined_and_covered_is_told() -> None:
    notes = (Note(0, 470, 60), Note(480, 480, 60), Note(1000, 100, 64), Note(1100, 5, 65))
    piece = Piece("x", 480, (Track(notes),), 1920)
    lost = to_frames(piece, Grid(1)).lost
    assert lost == Lost(notes=4, moved=3, joined=1)
    assert lost.lines() == [
        "3 notes of 4 moved to the grid", "1 note joined to one of the same pitch"
    ]  # fmt: skip
    lost = to_frames(replace(piece, voices=True), Grid(1)).lost
    assert (lost.joined, lost.covered) == (1, 1), "64 and 65 are sung in one step"
    early = Piece("x", 480, (Track((Note(0, 479, 60),)),), 480)
    assert to_frames(early, Grid(1)).lost.moved == 0, "a tick early is as good as on the grid"
    assert (lost + NOTHING, (lost + lost).notes) == (lost, 8)


@pytest.mark.parametrize("per_quarter", CHOICES)
def test_the_coarsest_grid_that_keeps_enough_is_chosen(per_quarter: int) -> None:
    division = 480
    step = division // per_quarter
    notes = tuple(Note(at * step, step, 60) for at in range(300))
    piece = Piece("x", division, (Track(notes),), 300 * step)
    assert choose([piece]).grid == Grid(per_quarter) and choose([piece]).fits
    off = (*notes, *(Note(300 * step + 7 + at * step, step, 60) for at in range(3)))
    one = choose([Piece("x", division, (Track(off),), 304 * step)])
    assert one.grid == Grid(per_quarter) and 0 < one.off_onsets <= 0.01 and "moved" in one.line


def test_where_no_grid_fits_the_finest_is_taken_and_it_is_said() -> None:
    draw = random.Random(3)
    notes = tuple(Note(at * 480 + draw.randrange(40, 200), 100 + at, 60) for at in range(90))
    found = choose([Piece("x", 1009, (Track(notes),), 50_000)])
    assert found.grid == Grid(24) and not found.fits and "no grid keeps 99 %" in found.line


def test_places_in_bars_begin_with_the_pickup() -> None:
    piece = Piece("x", 4, (Track((Note(0, 40, 60),)),), 40, metres=(Metre(0, 3, 4),), pickup=4)
    place, bar = places(piece, Grid(2))
    assert place.tolist() == [4, 5, *[0, 1, 2, 3, 4, 5] * 3]
    assert set(bar.tolist()) == {6} and len(place) == steps_of(piece, Grid(2)) == 20
    two = replace(piece, metres=(Metre(0, 3, 4), Metre(16, 2, 4)))
    assert places(two, Grid(1))[0].tolist() == [2, 0, 1, 2, 0, 1, 0, 1, 0, 1]
    assert not places(replace(piece, metres=()), Grid(2))[1].any()


@pytest.mark.skipif(not SHARED.is_dir(), reason="without the shared data")
@pytest.mark.parametrize(
    ("item", "pieces"),
    [
        ("jsb-chorales-quarter.json.gz", 382), ("Jsb16thSeparated.json.gz", 382),
        ("nottingham_midi.zip/MIDI/hpps*.mid", 65), ("asap_midi_scores.zip/Bach/Prelude", 29),
        ("nottingham_abc.zip/ABC_cleaned/playford.abc", 15),
    ],
)  # fmt: skip
def test_what_is_lost_of_real_music_is_counted(item: str, pieces: int) -> None:
    bad = BadRows(skip=False)
    found = read([f"{SHARED}/{item}"], bad)
    assert len(found.pieces) == pieces == found.account.pieces
    chosen = choose(found.pieces)
    lost = NOTHING
    for piece in found.pieces[:60]:
        frames = to_frames(piece, chosen.grid)
        again = to_piece(frames, chosen.grid)
        assert again.count == frames.lost.kept
        once_more = to_frames(again, chosen.grid)
        assert np.array_equal(once_more.sounding, frames.sounding)
        lost += frames.lost
    count = sum(piece.count for piece in found.pieces)
    assert count == found.account.notes and (len(found.pieces) > 60 or lost.notes == count)
    assert lost.notes == lost.kept + lost.joined + lost.covered + lost.drums
    if item.startswith(("jsb", "Jsb")):
        assert lost == Lost(notes=lost.notes), "a roll is on its own grid"
