"""No note is held longer than the longest that was trained on, or than rules say."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_composers import HEADS, composer, log_p
from torch import Tensor

from elman.data.symbolic.grid import Frames, Grid, to_piece
from elman.data.symbolic.midi.writing import write_midi
from elman.data.symbolic.piece import Note, Piece, Track
from elman.errors import UserError
from elman.tasks.music.composing import held
from elman.tasks.music.composing.frames import FrameComposer
from elman.tasks.music.composing.harmonise import beam
from elman.tasks.music.composing.limits import FREE, Limits
from elman.tasks.music.composing.measure import Measure
from elman.tasks.music.composing.options import Composing
from elman.tasks.music.composing.rules import Hold, Rules
from elman.tasks.music.frames.data import longest_note, reading_from_json
from elman.tasks.music.frames.heads.head import SILENCE
from elman.tasks.music.options import HeadName


def lasting(
    head: HeadName, voices: int, seed: int, longest: int = 0, members: int = 1
) -> FrameComposer:
    """A model that would rather hold few notes for ever."""
    # If not even, it is silent for ever.
    own = composer(head, voices, seed, 45, 28, sure=12.0, members=members, even=True)
    return replace(own, longest=longest)


def lengths(piece: Piece) -> list[tuple[int, int, int]]:
    """Track, first step, and steps of every note."""
    return [(k, n.start, n.length) for k, track in enumerate(piece.tracks) for n in track.notes]


@pytest.mark.parametrize(("head", "voices"), HEADS)
@pytest.mark.parametrize("seed", range(6))
def test_no_note_is_held_longer(head: HeadName, voices: int, seed: int) -> None:
    draw = random.Random(f"{head} {seed}")
    longest = draw.randint(1, 9)
    keep = draw.choice(["", "at most 2 notes", "key F major", "required F3 at bar 2 beat 2",
                        "required F3, A3 at bar 1; required F3 at bar 1 beat 1.5",
                        "no repeat 1 bar"])  # fmt: skip
    hold = draw.choice([None, None, "1 beat", "2 bars"])
    most = {None: longest, "1 beat": 2, "2 bars": 16}[hold]
    if hold:
        keep = f"{keep}; hold {hold}" if keep else f"hold {hold}"
    if longest == 1 and hold is None and keep.startswith("required F3, A3"):
        longest = most = 2
    likeliest = draw.random() < 0.5
    asked = Composing(
        bars=4, keep=keep, temperature=0.5 * (not likeliest), seed=seed, ending=not likeliest
    )  # fmt: skip
    own = lasting(head, voices, seed, longest, members=1 + seed % 2)
    made = own.compose(asked, own.begin(), seed)
    list(made)
    assert made.piece.length == 32
    assert max((n for _, _, n in lengths(made.piece)), default=0) <= most


@pytest.mark.parametrize(("head", "voices"), HEADS)
def test_without_it_such_models_hold_notes_for_ever(head: HeadName, voices: int) -> None:
    found = []
    for seed in range(4):
        own = lasting(head, voices, seed)
        made = own.compose(Composing(bars=4, temperature=0.5), own.begin(), 1)
        list(made)
        found += [steps for _, _, steps in lengths(made.piece)]
    assert max(found) > 16


@pytest.mark.parametrize(("head", "voices"), HEADS)
@pytest.mark.parametrize("cut", [1, 4, 11])
def test_a_note_counts_from_where_it_began(head: HeadName, voices: int, cut: int) -> None:
    """A prompt, or a place that was kept, is gone on with: what sounds there goes on no longer, but
    notes of the prompt are as they are."""
    own = lasting(head, voices, 3, 5)
    line = tuple(Note(0, cut, pitch) for pitch in (54, 57))
    tracks = (Track(line[1:]), Track(line[:1]), Track(())) if voices else (Track(line),)
    place = own.read(Piece("x", 2, tracks, cut, voices=bool(voices)))
    made = own.compose(Composing(steps=20, temperature=0.0), place, 1)
    list(made)
    for _, start, steps in lengths(made.piece):
        assert steps <= 5 or (start == 0 and steps == cut)
    whole = own.compose(Composing(steps=20, temperature=0.0), own.begin(), 1)
    first = own.compose(Composing(steps=cut, temperature=0.0), own.begin(), 1)
    list(whole), list(first)
    second = own.compose(Composing(steps=20 - cut, temperature=0.0), first.place, 1)
    list(second)
    assert second.piece == whole.piece


@pytest.mark.parametrize("method", ["beam", "gibbs"])
@pytest.mark.parametrize(("head", "voices"), HEADS)
def test_given_voices_hold_what_they_hold(
    head: HeadName, voices: int, method: str, tmp_path: Path
) -> None:
    """A given note of 5 steps stays; what the model adds to it, or beside it, is 3 at most."""
    given = (Note(0, 5, 60), Note(5, 1, 58), Note(7, 2, 60))
    path = tmp_path / "soprano.mid"
    path.write_bytes(write_midi(Piece("s", 2, (Track(given),), 11)))
    for seed in (1, 2):
        own = replace(composer(head, voices, seed, 56, 6, sure=6.0), longest=3)
        asked = Composing(given=path, beam=2, sweeps=1, method="gibbs" if method == "gibbs" else
                          "beam", temperature=0.5)  # fmt: skip
        made = own.compose(asked, own.begin(), seed)
        list(made)
        if voices:
            assert made.piece.tracks[0].notes == given
        own_notes = [(n.start, n.length) for n in given]
        for track, start, steps in lengths(made.piece):
            kept = (start, steps) in own_notes and track == 0
            assert kept or steps <= 3


@pytest.mark.parametrize(("head", "voices"), [("chain", 0), ("independent", 0), ("voices", 2)])
def test_the_beam_finds_the_likeliest_of_what_is_left(head: HeadName, voices: int) -> None:
    """Of all pieces of five steps, one note given, whose notes sound two steps at most."""
    pitches, steps, hold = 2, 5, 2
    own = composer(head, voices, 4, pitches=pitches, sure=6.0)
    given = torch.full((steps, voices or 1), FREE)
    given[:, 0] = torch.tensor([1, 1, 1, SILENCE, SILENCE])
    limits = Limits.of(
        Rules(), Measure(2), own.network.head, own.network.lowest, given, not voices, hold
    )
    if voices:
        free = itertools.product(range(SILENCE, pitches), repeat=steps)
        every = [torch.stack([given[:, 0], torch.tensor(line)], 1) for line in free]
    else:
        low = itertools.product([False, True], repeat=steps)
        high = given[:, 0] == 1
        tops = [high, high | (torch.arange(steps) == 4)]
        every = [torch.stack([torch.tensor(line), top], 1) for line in low for top in tops]
    fits = [piece for piece in every if _keeps(piece, given[:, 0], hold)]
    assert 1 < len(fits) < len(every)
    best = max(fits, key=lambda piece: log_p(own, piece))
    *_, found = beam.search(own.network, limits, steps, width=len(every))
    assert log_p(own, torch.stack(found)) == pytest.approx(log_p(own, best), abs=1e-5)
    assert _keeps(torch.stack(found), given[:, 0], hold)


def _keeps(piece: Tensor, given: Tensor, hold: int) -> bool:
    """Whether no note is longer, but those that are given from begin to end."""
    grid = Grid(2)
    if piece.dtype == torch.bool:
        roll = np.zeros((len(piece), 128), bool)
        roll[:, : piece.shape[1]] = piece.numpy()
        made = to_piece(Frames("", roll), grid)
    else:
        made = to_piece(Frames("", None, piece.numpy().astype(np.int16)), grid)
    for track, start, steps in lengths(made):
        whole = bool((given[start : start + steps] == 1).all())
        if steps > hold and not (whole and track == 0):
            return False
    return True


def test_what_contradicts_it_is_told() -> None:
    own = lasting("chain", 0, 1, 1)
    for keep in (
        "required F3 at bar 1; required F3 at bar 1 beat 1.5",
        "metre 4/8; hold 1 beat; required F3 at bar 1; required F3 at bar 1 beat 2",
    ):
        with pytest.raises(UserError, match="cannot sound there by the other rules"):
            own.compose(Composing(steps=9, keep=keep), own.begin(), 1)
    place = own.read(Piece("x", 2, (Track((Note(0, 3, 53),)),), 3))
    with pytest.raises(UserError, match="cannot sound there"):
        own.compose(Composing(steps=9, keep="required F3 at bar 1 beat 2.5"), place, 1)


def test_bars_and_beats_as_steps() -> None:
    assert Measure(4, 6, 8).longest(Hold(2)) == 24
    assert Measure(4, 6, 8).longest(Hold(3, beats=True)) == 6
    assert Measure(1, 3, 4).longest(Hold(1, beats=True)) == 1
    assert Measure(1, 6, 8).longest(Hold(1, beats=True)) == 1  # half a step


@pytest.mark.parametrize("seed", range(20))
def test_the_longest_note_is_counted(seed: int) -> None:
    draw = np.random.default_rng(seed)
    steps, size = int(draw.integers(1, 12)), int(draw.integers(1, 4))
    voices = draw.integers(-1, 2, (steps, size)).astype(np.int16)
    voices = np.where(voices < 0, -1, voices + 60).astype(np.int16)
    frames = Frames("x", None, voices)
    notes = [n.length for track in to_piece(frames, Grid(2)).tracks for n in track.notes]
    assert longest_note([frames], in_voices=True) == max(notes, default=0)
    roll = Frames("x", frames.sounding)
    notes = [n.length for track in to_piece(roll, Grid(2)).tracks for n in track.notes]
    assert longest_note([frames, roll], in_voices=False) == max(notes, default=0)


@pytest.mark.parametrize(("head", "voices"), HEADS)
def test_how_long_notes_have_sounded(head: HeadName, voices: int) -> None:
    """From the end back, as frame by frame from the beginning on."""
    torch.manual_seed(1)
    shape = (30, 3) if voices else (30, 4)
    frames = torch.randint(-1, 3, shape) if voices else torch.rand(shape) < 0.8
    now = held.of(frames[:0], 4)
    for k, frame in enumerate(frames):
        now = held.after(now, frame)
        assert torch.equal(now, held.of(frames[: k + 1], 4))
    assert now.max() > 0


@pytest.mark.parametrize("value", [-1, 1.5, "many", True, 2**40])
def test_a_damaged_longest_note_is_refused(value: object) -> None:
    kept = {"per_quarter": 2, "bars": [8]}
    assert reading_from_json(kept | {"longest": 7}).longest == 7
    with pytest.raises(UserError, match="longest"):
        reading_from_json(kept | {"longest": value})


@pytest.mark.parametrize(("head", "voices"), HEADS)
def test_a_note_that_has_to_come_is_not_used_up_before(head: HeadName, voices: int) -> None:
    """F3 is required in step 2, or given there and after it, and may sound so many steps."""
    note, network = 53 - 50, composer(head, voices, 1).network
    given = None
    if not voices:
        given = torch.full((6, 1), SILENCE)
        given[2:4] = note

    def may(hold: int, step: int, held: int, given: Tensor | None, keep: str) -> bool:
        rules = Composing(keep=keep).rules
        limits = Limits.of(rules, Measure(2), network.head, 50, given, longest=hold)
        sounding = torch.zeros_like(limits.allowed, dtype=torch.int64)
        sounding[..., note] = held
        return all(bool(way.allowed[..., note].all()) for way in limits.ways(step, sounding))

    keep = "required F3 at bar 1 beat 2"
    for hold in (2, 3):
        assert may(hold, 0, 0, None, keep)
        assert may(hold, 1, 0, None, keep)
        assert may(hold, 1, 1, None, keep) == (hold == 3)
        assert may(hold, 1, hold - 1, None, "")
        assert not may(hold, 1, hold, None, "")
    if given is not None:
        assert may(3, 1, 0, given, "") and not may(2, 1, 0, given, "")
        assert not may(3, 1, 1, given, "") and may(4, 1, 1, given, "")
