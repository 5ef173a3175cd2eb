"""Frames of any piece as a head has them: within its pitches, in as many voices."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from elman.data.symbolic.grid import Frames
from elman.data.symbolic.piece import Piece
from elman.tasks.music.composing.rules import name_of
from elman.tasks.music.frames.heads.head import SILENCE, Head
from elman.wording import counted


def rolled(frames: Frames, head: Head, lowest: int) -> tuple[Tensor, list[str]]:
    """Frames as a roll, bool [T, P], and what is lost: lines for the user."""
    roll = frames.sounding
    inside = roll[:, lowest : lowest + head.pitches]
    out = int(roll.sum()) - int(inside.sum())
    return torch.from_numpy(np.ascontiguousarray(inside)), _outside(out, head, lowest)


def in_voices(frames: Frames, head: Head, lowest: int) -> tuple[Tensor, list[str]]:
    """Frames as voices, int64 [T, V], and what is lost: lines for the user.

    Notes that are written in no voices, or in another number, go to the voices from the highest
    down, the lowest of them to the lowest voice.
    """
    told = list[str]()
    if frames.voices is not None and frames.voices.shape[1] == head.voices:
        pitches = frames.voices.astype(np.int64)
    else:
        told.append(f"not written in {head.voices} voices: the notes are given to them by height")
        pitches = np.full((len(frames), head.voices), SILENCE, np.int64)
        lost = 0
        for row, sounding in zip(pitches, frames.sounding, strict=True):
            notes = np.flatnonzero(sounding)[::-1]
            lost += max(len(notes) - head.voices, 0)
            several = len(notes) > 1 and head.voices > 1
            upper = notes[:-1][: head.voices - 1] if several else notes[:1]
            row[: len(upper)] = upper
            if several:
                row[-1] = notes[-1]
        if lost:
            told.append(f"{counted(lost, 'note')} left out: more than {head.voices} at a time")
    sounds = pitches != SILENCE
    notes = pitches - lowest
    inside = sounds & (notes >= 0) & (notes < head.pitches)
    told += _outside(int((sounds & ~inside).sum()), head, lowest)
    return torch.from_numpy(np.where(inside, notes, SILENCE)), told


def as_voices(piece: Piece, voices: int) -> Piece:
    """A piece of so many tracks with one note at a time as one in voices, the highest first; any
    other as it is."""
    tracks = [track for track in piece.tracks if track.notes]
    single = all(
        before.end <= after.start
        for track in tracks
        for before, after in itertools.pairwise(track.notes)
    )
    if piece.voices or len(tracks) != voices or not single or any(t.is_drum for t in tracks):
        return piece
    first, last = (np.mean([note.pitch for note in tracks[k].notes]) for k in (0, -1))
    return replace(piece, tracks=tuple(tracks[::-1] if first < last else tracks), voices=True)


def _outside(count: int, head: Head, lowest: int) -> list[str]:
    """Of notes in so many steps that the model does not know."""
    if not count:
        return []
    known = f"{name_of(lowest)} to {name_of(lowest + head.pitches - 1)}"
    return [f"{counted(count, 'step')} of notes left out: the model knows {known}"]
