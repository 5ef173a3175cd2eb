"""Pieces onto a grid, and which pitches and bars there are: from pieces to a data set of frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from elman.data.symbolic import grid as grids
from elman.data.symbolic.grid import NOTHING, Frames, Grid, to_frames
from elman.data.symbolic.piece import Metre, Piece
from elman.data.tables.content import BadRows
from elman.errors import UserError
from elman.tasks import naming
from elman.tasks.music.data import Parts
from elman.tasks.music.frames.data import (
    KEYS,
    PITCHES,
    FrameData,
    FrameReading,
    Score,
    bars_of,
    longest_note,
    reading_from_json,
    score_of,
)
from elman.tasks.music.options import OCTAVE, MusicOptions
from elman.tasks.task import Kept
from elman.wording import counted

ONE_KEY = 0.8  # share of the pieces whose pitch classes are those of all
UNITS = (4, 8, 16, 32)  # of metres
FEW = 3  # pieces below which nothing is said of that


def read(parts: Parts, options: MusicOptions) -> FrameData:
    """The grid is chosen by the training and the validation part; the range of pitches is that of a
    piano, or of all MIDI where any piece goes beyond it."""
    facts, warnings = list(parts.facts), list(parts.warnings)
    if options.steps_per_quarter is None:
        chosen = grids.choose([*parts.train, *parts.check])
        grid = chosen.grid
        (facts if chosen.fits else warnings).append(chosen.line)
    else:
        grid = Grid(options.steps_per_quarter)
        facts.append(f"grid: {grid.shown}, as asked for")
    each = [
        [frames for frames in (to_frames(piece, grid) for piece in some) if len(frames)]
        for some in (parts.train, parts.check, parts.test or ())
    ]
    every = [frames for some in each for frames in some]
    if not each[0]:
        raise parts.bad.nothing_left(f"{parts.name}: no piece with a step to train on")
    warnings += sum((frames.lost for frames in every), NOTHING).lines()
    reading = _reading(each[0], every, grid)
    if options.head == "voices" and not reading.voices:
        raise UserError(
            "--head voices: the pieces are not all written in the same number of voices; give "
            "--head chain"
        )
    train, check, test = (scores_of(some, reading, parts.bad) for some in each)
    for given, left, what in ((parts.check, check, "validate"), (parts.test, test, "test")):
        if given and not left:
            raise parts.bad.nothing_left(f"{parts.name}: nothing is left to {what} on")
    facts.append(_range(reading, every))
    return FrameData(
        parts.name, reading, train, check, parts.bad, test if parts.test is not None else None,
        tuple(facts), tuple(warnings),
    )  # fmt: skip


def unseen(parts: Parts, kept: Kept) -> FrameData:
    reading = reading_from_json(kept.get("reading"))
    every = [to_frames(piece, reading.grid) for piece in parts.check]
    lost = sum((frames.lost for frames in every), NOTHING)
    check = scores_of([frames for frames in every if len(frames)], reading, parts.bad)
    if not check:
        raise parts.bad.nothing_left(f"{parts.name}: nothing is left to score")
    warnings = (*parts.warnings, *lost.lines())
    return FrameData(parts.name, reading, (), check, parts.bad, None, parts.facts, warnings)


def scores_of(
    frames: Sequence[Frames], reading: FrameReading, bad: BadRows
) -> tuple[Score, ...]:  # fmt: skip
    """Pieces as the network reads them; `bad` says what becomes of those that it cannot read."""
    found = []
    for one in frames:
        try:
            found.append(score_of(one, reading))
        except ValueError as error:
            bad.add(one.name, str(error))
    return tuple(found)


def overlap(dataset: FrameData, training: FrameData) -> str:
    known, scored = ([s.digest() for s in some] for some in (training.train, dataset.check))
    return naming.trained_on(known, scored, "piece")


def _reading(train: Sequence[Frames], every: Sequence[Frames], grid: Grid) -> FrameReading:
    pitches = np.flatnonzero(np.logical_or.reduce([one.sounding.any(0) for one in every]))
    inside = not len(pitches) or (pitches[0] >= KEYS[0] and pitches[-1] <= KEYS[1])
    low, high = KEYS if inside else (0, PITCHES - 1)
    kinds = {0 if one.voices is None else one.voices.shape[1] for one in every}
    voices = kinds.pop() if len(kinds) == 1 else 0
    longest = longest_note(train, in_voices=voices > 0)
    return FrameReading(
        grid.per_quarter, low, high, voices, bars_of(train), one_key(train), longest
    )  # fmt: skip


def one_key(frames: Sequence[Frames]) -> bool:
    """Whether nearly all pieces stand on one tonic: how long each pitch class sounds in them fits
    how long it does in all of them best as it is, and not moved into another key."""
    each = np.array(
        [np.bincount(np.nonzero(f.sounding)[1] % OCTAVE, minlength=OCTAVE) for f in frames]
    )
    each = each[each.sum(1) > 0].astype(float)
    if len(each) < FEW:
        return False
    each /= each.sum(1, keepdims=True)
    all_of_them = each.mean(0) - 1 / OCTAVE
    fits = np.stack([each @ np.roll(all_of_them, k) for k in range(OCTAVE)], 1)
    return bool((fits.argmax(1) == 0).mean() >= ONE_KEY)


def _range(reading: FrameReading, every: Sequence[Frames]) -> str:
    found = np.flatnonzero(np.logical_or.reduce([one.sounding.any(0) for one in every]))
    told = f"notes {found[0]} to {found[-1]}" if len(found) else "no notes"
    model = f"{reading.lowest} to {reading.highest}"
    voices = f", in {counted(reading.voices, 'voice')}" if reading.voices else ""
    return f"{told}{voices}, of the {reading.pitches} from {model} that the network tells of"


def piece_of(score: Score, reading: FrameReading) -> Piece:
    """A score as a piece again, a tick a step, in the metre that it begins in; equal notes in
    neighbouring steps are one note."""
    if score.in_voices:
        voices = np.where(score.steps < 0, score.steps, score.steps + reading.lowest)
        frames = Frames(score.name, None, voices.astype(np.int16))
    else:
        roll = np.zeros((len(score), PITCHES), bool)
        roll[:, reading.lowest : reading.highest + 1] = score.steps
        frames = Frames(score.name, roll)
    piece = grids.to_piece(frames, reading.grid)
    found = reading.bar_at(int(score.places[0])) if len(score) else None
    if found is None:
        return piece
    bar, place = found
    units = [unit for unit in UNITS if bar * unit % (4 * reading.per_quarter) == 0]
    if not units:
        return piece
    metre = Metre(0, bar * units[0] // (4 * reading.per_quarter), units[0])
    return replace(piece, metres=(metre,), pickup=min(-place % bar, piece.length))
