"""Given voices: the tracks of a piece as the notes that some voices of a model have to sing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from elman.data.symbolic.grid import Frames, Grid, to_frames
from elman.data.symbolic.piece import Piece, Track
from elman.errors import UserError
from elman.tasks.music.composing.limits import FREE
from elman.tasks.music.composing.rules import Rules, name_of, voice_index
from elman.tasks.music.frames.heads.head import SILENCE, Head
from elman.wording import counted

HIGHEST = "soprano"


class Given(NamedTuple):
    """Notes int64 [T, V], of rolls [T, K], as `Limits` has them; whether nothing may sound above
    them, of rolls; and lines for the user."""

    notes: Tensor
    top: bool
    told: list[str]


def given(
    piece: Piece, names: Sequence[str], grid: Grid, head: Head, lowest: int, rules: Rules
) -> Given:
    """The voices that a piece gives. UserError: it is not clear which; a note that the model does
    not know, or that a range of the rules excludes."""
    tracks = [track for track in piece.tracks if track.notes and not track.is_drum]
    if not tracks:
        raise UserError(f"{piece.name}: has no notes to keep")
    if head.voices:
        tracks, voices = _chosen(piece.name, tracks, names, head.voices)
    else:
        if names:
            raise UserError("--given-voices: the model's music has no voices, only notes")
        voices = list(range(len(tracks)))
    lines, told = list[NDArray[np.int64]](), list[str]()
    for track in tracks:
        frames = to_frames(replace(piece, tracks=(track,), voices=False), grid)
        line, covered = _line(frames)
        told += [line for line in frames.lost.lines() if "joined" not in line]
        if covered:
            told.append(f"{counted(covered, 'step')} with several notes at once: the highest kept")
        lines.append(line)
    notes = np.full((len(lines[0]), head.voices or len(lines)), FREE, np.int64)
    for voice, line in zip(voices, lines, strict=True):
        _check(piece.name, line, voice if head.voices else None, head, lowest, rules)
        notes[:, voice] = np.where(line >= 0, line - lowest, SILENCE)
    return Given(torch.from_numpy(notes), not head.voices and len(lines) == 1, told)


def _chosen(
    name: str, tracks: list[Track], names: Sequence[str], voices: int
) -> tuple[list[Track], list[int]]:
    """The tracks that are kept, and the voices that they are."""
    asked = [voice_index(voice.strip(), voices) for voice in names or (HIGHEST,)]
    if len(set(asked)) < len(asked):
        raise UserError(f"--given-voices {','.join(names)}: one voice twice")
    if len(asked) == voices:
        raise UserError(f"--given-voices {','.join(names)}: leaves no voice to be made")
    if len(tracks) == len(asked):
        return tracks, asked
    if len(tracks) == voices:  # a whole piece, of which some voices are kept
        return [tracks[voice] for voice in asked], asked
    raise UserError(
        f"{name}: has {len(tracks)} tracks, for {counted(len(asked), 'voice')}; name the voice of "
        "each: --given-voices soprano,bass"
    )


def _line(frames: Frames) -> tuple[NDArray[np.int64], int]:
    """The highest note of each step [T], or `SILENCE`; and in how many steps there were others."""
    roll = frames.sounding
    top = roll.shape[1] - 1 - roll[:, ::-1].argmax(1)
    counts = roll.sum(1)
    return np.where(counts > 0, top, SILENCE), int((counts > 1).sum())


def _check(
    name: str, line: NDArray[np.int64], voice: int | None, head: Head, lowest: int, rules: Rules
) -> None:
    highest = lowest + head.pitches - 1
    ranges = [(lowest, highest, "the model knows")]
    for limit in rules.ranges:
        every = not limit.voice
        if every or (voice is not None and voice_index(limit.voice, head.voices) == voice):
            ranges.append((limit.low, limit.high, "--keep allows"))
    for low, high, told in ranges:
        out = line[(line >= 0) & ((line < low) | (line > high))]
        if len(out):
            fits = f"{told} {name_of(low)} to {name_of(high)}"
            raise UserError(f"{name}: has {name_of(int(out[0]))}, where {fits}")
