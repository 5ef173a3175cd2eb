"""What a network of frames is looked at with: pieces it was not trained on, and what they sound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from elman.tasks.looking import Look, picked
from elman.tasks.music.composing.rules import name_of
from elman.tasks.music.frames.data import SILENT, FrameData, FrameReading, Score, Steps
from elman.tasks.music.frames.simple import before_of
from elman.tasks.music.frames.training import Batch, batch_of
from elman.tasks.music.options import MusicOptions
from elman.wording import counted

MOST = 256  # steps of a piece, from its beginning


def look(dataset: FrameData, options: MusicOptions, size: int, seed: int) -> Look[Batch]:
    """Pieces of the validation part, or of the training part where there is none; the longest
    first, as they stand in the batch."""
    held, reading = dataset.check or dataset.train, dataset.reading
    part = "validation" if dataset.check else "training"
    chosen = [_begun(held[k]) for k in picked(len(held), size, seed)]
    chosen.sort(key=len, reverse=True)
    in_voices = options.head == "voices"
    steps = [score.steps if in_voices else score.roll(reading.pitches) for score in chosen]
    rolls = [score.roll(reading.pitches) for score in chosen]
    return Look(
        batch_of(chosen, reading.pitches, in_voices=in_voices),
        [_names(before_of(piece), reading) for piece in steps],
        f"{counted(len(chosen), 'piece')} of the {part} part",
        labels=[_names(piece, reading) for piece in steps],
        quantities={
            "notes at once": [roll.sum(1).astype(float) for roll in rolls],
            "highest pitch": [_highest(roll) + reading.lowest for roll in rolls],
            "step within the quarter": [
                reading.features[score.places][:, : reading.per_quarter].argmax(1).astype(float)
                for score in chosen
            ],
        },
        truncation=options.sequence_length,
    )


def _begun(score: Score) -> Score:
    return replace(score, steps=score.steps[:MOST], places=score.places[:MOST])


def _highest(roll: Steps) -> Steps:
    """The number of the highest pitch of each step; of silence the one before, at first 0."""
    found, last = np.zeros(len(roll)), 0.0
    for t, frame in enumerate(roll):
        last = float(np.flatnonzero(frame)[-1]) if frame.any() else last
        found[t] = last
    return found


def _names(steps: Steps, reading: FrameReading) -> list[str]:
    """Each frame by the names of its notes: C4·E4·G4."""
    if steps.dtype == np.bool_:
        each = [np.flatnonzero(frame).tolist() for frame in steps]
    else:
        each = [[pitch for pitch in frame if pitch != SILENT] for frame in steps.tolist()]
    return ["·".join(name_of(p + reading.lowest) for p in frame) or "-" for frame in each]
